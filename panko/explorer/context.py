# SPDX-License-Identifier: Apache-2.0
"""Who is asking, and what a page may show to them: the policy's decisions, as for Grafana."""

import http
from dataclasses import dataclass

import pecan

from panko.api.hooks import Context
from panko.explorer.middleware import BY_TOKEN, CALLER_KIND
from panko.explorer.rendering import EXPLORER_PATH
from panko.explorer.responses import find_next
from panko.explorer.search import Search
from panko.explorer.sessions import make_csrf_field
from panko.policies import events
from panko.storage.filters import EventFilter, Page


@dataclass(frozen=True, slots=True)
class Selected:
    """The events of a page.

    :param event_filter: within the scope of the caller
    :param sees_all: whether they are of all projects
    :param may_see_all: whether the caller may see those of all projects
    """

    event_filter: EventFilter
    sees_all: bool
    may_see_all: bool


def select_events(search: Search, rule: str = events.INDEX, is_bounded: bool = False) -> Selected:
    """Return the events of a page.

    :param rule: what the caller does with them
    :param is_bounded: whether the storage examines a bounded number of events anyway
    :raises Refused: if the policy does not allow it
    :raises InvalidFilter: if a filter is invalid
    :raises NotSupported: if the storage driver does not know all conditions
    """
    context: Context = pecan.request.panko
    context.authorization.require(rule)
    selection = search.select()
    scope = context.authorization.grafana_scope(selection.all_tenants)
    seconds = None if is_bounded else context.limits.scan_seconds
    return Selected(selection.limit_to(scope, context.storage, seconds), scope.everything, may_see_all())


def find_event(message_id: str) -> bytes | None:
    """Return an event as the JSON object that the API returns; None if there is none that the caller may see.

    :raises Refused: if the policy does not allow it
    """
    context: Context = pecan.request.panko
    context.authorization.require(events.SHOW)
    event_filter = EventFilter(message_id=(message_id,), scope=context.authorization.grafana_scope(None))
    documents = list(context.storage.get_documents(event_filter, Page(limit=1)))
    return documents[0] if documents else None


def may_see_all() -> bool:
    """Return whether the caller may see the events of all projects."""
    context: Context = pecan.request.panko
    return context.authorization.grafana_scope(None).everything


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, for the menu of each page.

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


def find_caller() -> Caller | None:
    """Return who is asking; None if nobody has signed in.

    :raises StorageError: if the storage is not available
    """
    request = pecan.request
    headers = request.headers
    name = headers.get("X-User-Name") or headers.get("X-User-Id")
    if not name:
        return None
    kind = request.environ[CALLER_KIND]
    is_page = request.method == http.HTTPMethod.GET and request.path_info not in ("/project", "/persona")
    return Caller(
        name=name,
        project=headers.get("X-Project-Name") or headers.get("X-Project-Id") or "",
        kind=kind,
        csrf=make_csrf_field(request, request.panko.secret.read()) if kind == BY_TOKEN else "",
        here=find_next(request.path_qs) if is_page else EXPLORER_PATH,
    )
