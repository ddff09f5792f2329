# SPDX-License-Identifier: Apache-2.0
"""Storing events: one batch, one transaction."""

import datetime
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from panko.storage import documents
from panko.storage.models import Trait, TraitType, checked_event, raw_json
from panko.storage.sqlalchemy.catalog import Catalog
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import EventIds, name_key, owner_key, text_key
from panko.storage.sqlalchemy.tables import EVENT, TRAIT_INDEXES
from panko.storage.sqlalchemy.types import to_microseconds


class PreparedEvent(NamedTuple):
    """An event in the form that the tables keep it in, but for the ids."""

    source: Any
    message_id: str
    event_type: str
    generated: datetime.datetime
    project_id: str | None
    user_id: str | None
    traits: str
    raw: str | None
    names: frozenset[tuple[int, str]]
    """The traits' dtypes and names."""
    index_keys: frozenset[tuple[TraitType, tuple]]


def prepare(event: Any) -> PreparedEvent:
    """Check an event and work out its rows.

    :param event: anything with the attributes of :class:`panko.storage.models.Event`
    :raises InvalidEvent: with the reason, where it cannot be stored
    """
    checked = checked_event(event)
    return PreparedEvent(
        source=event,
        message_id=checked.message_id,
        event_type=checked.event_type,
        generated=checked.generated,
        project_id=_owner(checked.traits, "project_id"),
        user_id=_owner(checked.traits, "user_id"),
        traits=documents.traits_document(checked.traits),
        raw=None if checked.raw == {} else raw_json(checked.raw),
        names=frozenset((int(trait.dtype), trait.name) for trait in checked.traits),
        index_keys=frozenset((trait.dtype, index_key(trait)) for trait in checked.traits),
    )


def _owner(traits: Iterable[Trait], name: str) -> str | None:
    """Return the key of an event's project or user: the first text of that name; None where no trait has the name."""
    named = [trait for trait in traits if trait.name == name]
    if not named:
        return None
    return owner_key(next((trait.value for trait in named if trait.dtype == TraitType.TEXT), None))


def index_key(trait: Trait) -> tuple:
    """Return the columns by which the index table of a checked trait's type finds it."""
    match trait.dtype:
        case TraitType.TEXT:
            return (text_key(trait.name, trait.value),)
        case TraitType.DATETIME:
            return (name_key(trait.name), to_microseconds(trait.value))
        case _:
            return (name_key(trait.name), trait.value)


class Writer:
    """Stores batches of events, for many threads at once.

    :param engine: engine of the database
    :param dialect: its dialect
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect):
        self._engine = engine
        self._dialect = dialect
        self._catalog = Catalog(dialect)
        self._ids = EventIds()

    def write(self, events: Sequence[PreparedEvent]) -> int:
        """Store those of the events, no two of one message_id, that are not there yet: all of them or none.

        :returns: how many were stored
        :raises oslo_db.exception.DBDuplicateEntry: where another writer stored one of them meanwhile: try again
        """
        with self._engine.begin() as connection:
            names = self._catalog.enter(connection, events)
            known = _stored(connection, [event.message_id for event in events])
            new = [event for event in events if event.message_id not in known]
            for table, rows in _rows(new, self._ids.take(len(new)), names.event_types).items():
                self._dialect.insert_rows(connection, table, rows)
        self._catalog.remember(names)
        return len(new)


def _stored(connection: sa.Connection, message_ids: list[str]) -> set[str]:
    return set(connection.scalars(sa.select(EVENT.c.message_id).where(EVENT.c.message_id.in_(message_ids))))


def _rows(
    events: Iterable[PreparedEvent], ids: Iterable[int], event_types: dict[str, int]
) -> dict[sa.Table, list[tuple]]:
    rows: dict[sa.Table, list[tuple]] = {table: [] for table in (EVENT, *TRAIT_INDEXES.values())}
    for event, event_id in zip(events, ids, strict=True):
        generated = to_microseconds(event.generated)
        owner = (event.project_id, event.user_id)
        rows[EVENT].append(
            (event_id, event.message_id, event_types[event.event_type], generated, *owner, event.traits, event.raw)
        )
        for trait_type, key in event.index_keys:
            rows[TRAIT_INDEXES[trait_type]].append((*key, generated, event_id))
    return rows
