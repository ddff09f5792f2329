# SPDX-License-Identifier: Apache-2.0
"""Who is asking, for the menu of each page; and who a person without Keystone can choose to be."""

import http
from collections.abc import Iterator
from dataclasses import dataclass

import webob

from panko.explorer.middleware import BY_TOKEN, CALLER_KIND
from panko.explorer.rendering import EXPLORER_PATH
from panko.explorer.responses import find_next
from panko.explorer.sessions import Persona, make_csrf_field
from panko.storage.aggregates import MAX_EXAMINED_EVENTS
from panko.storage.base import Connection
from panko.storage.errors import NotSupported
from panko.storage.filters import EventFilter, Scope

MAX_PERSONAS = 20
"""Projects of which a member can be chosen from the list: each takes one query."""

_CHOICES = ("/project", "/persona")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking.

    :param name: of the user
    :param project: name of the project; empty: the whole system, or none
    :param kind: how the caller is known, by the names in :mod:`panko.explorer.middleware`
    :param csrf: value of the field of the menu's forms; empty if it has none
    :param here: URL to return to
    """

    name: str
    project: str
    kind: str
    csrf: str
    here: str


def describe_caller(request: webob.Request) -> Caller | None:
    """Return who is asking; None if nobody has signed in.

    :raises StorageError: if the storage is not available
    """
    headers = request.headers
    name = headers.get("X-User-Name") or headers.get("X-User-Id")
    if not name:
        return None
    kind = request.environ[CALLER_KIND]
    is_page = request.method == http.HTTPMethod.GET and request.path_info not in _CHOICES
    return Caller(
        name=name,
        project=headers.get("X-Project-Name") or headers.get("X-Project-Id") or "",
        kind=kind,
        csrf=make_csrf_field(request, request.panko.secret.read()) if kind == BY_TOKEN else "",
        here=find_next(request.path_qs) if is_page else EXPLORER_PATH,
    )


def list_personas(storage: Connection) -> list[Persona]:
    """Return a member of each project with the most events among the newest ones; nothing if the driver cannot."""
    try:
        return list(_find_personas(storage))
    except NotSupported:
        return []


def _find_personas(storage: Connection) -> Iterator[Persona]:
    for project in _find_texts(storage, "project_id", EventFilter())[:MAX_PERSONAS]:
        users = _find_texts(storage, "user_id", EventFilter(scope=Scope(project_id=project)))
        try:
            # A project whose events name no user has none to choose.
            yield from (Persona(project, user) for user in users[:1])
        except ValueError:
            continue


def _find_texts(storage: Connection, name: str, event_filter: EventFilter) -> list[str]:
    values = storage.get_trait_values(name, event_filter, MAX_EXAMINED_EVENTS).values
    return [each.value for each in values if isinstance(each.value, str)]
