# SPDX-License-Identifier: Apache-2.0
"""Which of the forms that an answer can have a client takes."""

import functools
from collections.abc import Sequence

from webob.acceptparse import AcceptEncodingValidHeader, AcceptValidHeader, create_accept_encoding_header
from webob.acceptparse import create_accept_header as parse_accept

JSON = "application/json"
XML_TYPES = ("application/xml", "text/xml")
CONTENT_TYPES = (JSON, *XML_TYPES)
"""The content types of answers, the one to take first where a client likes several alike."""


@functools.lru_cache(maxsize=256)
def choose_content_type(accept: str | None, offers: Sequence[str] = CONTENT_TYPES) -> str | None:
    """Return the offer that an Accept header likes best, the first of equals; None where it takes none of them.

    A missing, empty or unreadable header takes anything. Parameters of a media range, such as a charset, do not count.
    """
    header = parse_accept(accept or None)
    if isinstance(header, AcceptValidHeader):
        ranges = (f"{name.partition(';')[0]};q={quality}" for name, quality, *_ in header.parsed)
        header = parse_accept(", ".join(ranges))
    acceptable = header.acceptable_offers(offers)
    return acceptable[0][0] if acceptable else None


def choose_error_type(accept: str | None) -> str:
    """Return the content type of an error: JSON where the client takes nothing that there is."""
    return choose_content_type(accept) or JSON


@functools.lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether an Accept-Encoding header asks for gzip, and does not like the plain answer better."""
    header = create_accept_encoding_header(accept_encoding or None)
    if not isinstance(header, AcceptEncodingValidHeader):
        return False
    liked = {coding.lower(): quality for coding, quality in header.parsed}
    gzip = liked.get("gzip", liked.get("*", 0))
    return gzip > 0 and gzip >= liked.get("identity", 0)
