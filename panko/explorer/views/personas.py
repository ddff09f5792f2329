# SPDX-License-Identifier: Apache-2.0
"""Who a person without Keystone can choose to be."""

from collections.abc import Iterator

from panko.explorer.sessions import Persona
from panko.storage.aggregates import MAX_EXAMINED_EVENTS
from panko.storage.base import Connection
from panko.storage.errors import NotSupported
from panko.storage.filters import EventFilter, Scope

MAX_PERSONAS = 20
"""Projects of which a member can be chosen from the list: each takes one query."""


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
