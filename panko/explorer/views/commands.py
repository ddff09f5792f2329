# SPDX-License-Identifier: Apache-2.0
"""Commands that list the events of a page, for a shell."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from panko.api.policy import Identity
from panko.explorer.search import Search
from panko.explorer.views.table import PAGE_EVENTS
from panko.storage.models import format_time

TOKEN_VARIABLE = "OS_TOKEN"  # noqa: S105
"""The shell's variable for the token, which no page contains."""

_CONTINUED = " \\\n  "


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands for a page.

    :param openstack: empty: it cannot ask as the caller
    :param needs_token: whether the first one needs the variable :data:`TOKEN_VARIABLE`
    """

    curl: str
    openstack: str
    needs_token: bool


def make_commands(search: Search, sees_all: bool, api_url: str, identity: Identity, has_token: bool) -> Commands:
    """Return the commands that list the newest events of a page.

    :param sees_all: whether the page has the events of all projects
    :param api_url: address of the service
    :param has_token: whether the caller is known by a token; otherwise headers say who it is
    """
    texts = list(_find_texts(search))
    headers = [f'-H "X-Auth-Token: ${TOKEN_VARIABLE}"'] if has_token else list(_write_headers(identity))
    curl = [
        f"curl -sS -G {quote(f'{api_url}/v2/events')}",
        *headers,
        *(f"--data-urlencode {quote(f'filter={text}')}" for text in texts),
        *(["-d all_tenants=true"] if sees_all else []),
        f"-d limit={PAGE_EVENTS} -d sort=generated:desc",
    ]
    # Without a token, the command always asks as an administrator.
    openstack = [
        "openstack event list"
        if has_token
        else f"openstack --os-auth-type none --os-endpoint {quote(api_url)} event list",
        # Not as two words: a text may begin with a minus.
        *(quote(f"--where={text}") for text in texts),
        *(["--all-projects"] if sees_all else []),
        f"--newest --limit {PAGE_EVENTS}",
    ]
    return Commands(_CONTINUED.join(curl), _CONTINUED.join(openstack) if has_token or sees_all else "", has_token)


def _find_texts(search: Search) -> Iterator[str]:
    """Yield the filters of a page, with its time range."""
    yield from (text for text in (*search.filter, search.search) if text.strip())
    if search.range:
        if search.range != "all":
            yield f"generated >= -{search.range}"
        return
    start, end = search.find_period()
    if start:
        yield f"generated >= {format_time(start)}Z"
    if end:
        yield f"generated <= {format_time(end)}Z"


def _write_headers(identity: Identity) -> Iterator[str]:
    headers: Mapping[str, str | None] = {
        "X-User-Id": identity.user_id,
        "X-Project-Id": identity.project_id,
        "X-Roles": ",".join(identity.roles),
        "OpenStack-System-Scope": "all" if identity.is_system else None,
    }
    yield from (f"-H {quote(f'{name}: {value}')}" for name, value in headers.items() if value)


def quote(text: str) -> str:
    """Return a text as one word of a shell's command.

    Characters that nobody sees are escapes: a terminal would obey some of them when the command is pasted.
    """
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join([_escape(each) for each in text]) + "'"


def _escape(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    return character if character.isprintable() else "".join([f"\\x{byte:02x}" for byte in character.encode()])
