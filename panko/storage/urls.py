# SPDX-License-Identifier: Apache-2.0
"""Connection URLs as logs and commands may show them."""

import re

CREDENTIALS = re.compile(r"(?<=://)(?P<user>[^:/@]*)(:[^@]*)?@([^/?@]*@)*")
"""User and password in a URL; as in SQLAlchemy, the password may have any character, quoted or not."""


def redact_url(url: str, keep_user: bool = False) -> str:
    """Return a connection URL without password and parameters, so that it can be shown.

    :param url: the URL, which may have several hosts, separated by commas
    :param keep_user: whether to show the name of the user
    """

    def redact(match: re.Match[str]) -> str:
        return f"{match['user']}@" if keep_user and match["user"] else ""

    return CREDENTIALS.sub(redact, url, count=1).partition("?")[0]
