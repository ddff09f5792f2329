# SPDX-License-Identifier: Apache-2.0
"""What a page may show to the caller of a request: the policy's decisions, as for Grafana."""

from dataclasses import dataclass

import pecan

from panko.api.hooks import Context
from panko.explorer.search import Search
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
