# SPDX-License-Identifier: Apache-2.0
"""Storing events: one batch, one transaction."""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from panko.storage import documents
from panko.storage.models import CheckedEvent, Trait, TraitType
from panko.storage.sqlalchemy.catalog import Catalog
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import EventIds, name_key, owner_key, text_key
from panko.storage.sqlalchemy.tables import EVENT, TRAIT_INDEXES
from panko.storage.sqlalchemy.types import to_microseconds

IndexRows = Mapping[TraitType, set[tuple]]
"""Rows of the index tables by the type of trait; the event's id is the last member of each."""


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

    def write(self, events: Sequence[CheckedEvent]) -> int:
        """Store those of the events, no two of one message_id, that are not there yet: all of them or none.

        :returns: how many were stored
        :raises oslo_db.exception.DBDuplicateEntry: where another writer stored one of them meanwhile: try again
        """
        ids = dict(zip((event.message_id for event in events), self._ids.take(len(events)), strict=True))
        index_rows = make_index_rows(zip(events, ids.values(), strict=True))
        with self._engine.begin() as connection:
            version = self._dialect.share_catalog(connection)
            duplicates = self._find_stored(connection, list(ids))
            if duplicates:
                events = [event for event in events if event.message_id not in duplicates]
                duplicate_ids = {ids[message_id] for message_id in duplicates}
                index_rows = {type_: _without(duplicate_ids, rows) for type_, rows in index_rows.items()}
            names = self._catalog.enter(connection, version, events)
            rows = [_event_row(event, ids[event.message_id], names.event_types[event.event_type]) for event in events]
            self._dialect.insert_rows(connection, EVENT, rows)
            for trait_type, table in TRAIT_INDEXES.items():
                self._dialect.insert_rows(connection, table, sorted(index_rows[trait_type]))
        self._catalog.remember(names)
        return len(rows)

    def _find_stored(self, connection: sa.Connection, message_ids: list[str]) -> set[str]:
        condition = self._dialect.is_one_of(EVENT.c.message_id, message_ids)
        return set(connection.scalars(sa.select(EVENT.c.message_id).where(condition)))


def make_index_rows(events: Iterable[tuple[CheckedEvent, int]]) -> IndexRows:
    """Return the rows by which the index tables find the events' traits.

    :param events: events, each with its id
    """
    rows = {trait_type: set() for trait_type in TraitType}
    texts, integers, floats, datetimes = rows.values()
    for event, event_id in events:
        generated = to_microseconds(event.generated)
        for trait in event.traits:
            trait_type = trait.dtype
            if trait_type is TraitType.TEXT:
                texts.add((text_key(trait.name, trait.value), generated, event_id))
            elif trait_type is TraitType.INTEGER:
                integers.add((name_key(trait.name), trait.value, generated, event_id))
            elif trait_type is TraitType.FLOAT:
                floats.add((name_key(trait.name), trait.value, generated, event_id))
            else:
                datetimes.add((name_key(trait.name), to_microseconds(trait.value), generated, event_id))
    return rows


def _without(event_ids: set[int], rows: Iterable[tuple]) -> set[tuple]:
    return {row for row in rows if row[-1] not in event_ids}


def _event_row(event: CheckedEvent, event_id: int, event_type_id: int) -> tuple:
    project_id, user_id = _owner(event.traits)
    return (
        event_id,
        event.message_id,
        event_type_id,
        to_microseconds(event.generated),
        project_id,
        user_id,
        documents.traits_document(event.traits),
        None if event.raw == {} else event.raw_document,
    )


def _owner(traits: Iterable[Trait]) -> tuple[str | None, str | None]:
    """Return the keys of an event's project and user: of the first text of that name.

    None stands for an event without a trait of the name, and the key of None for one whose trait is no text.
    """
    found: dict[str, str | None] = {}
    for trait in traits:
        if trait.name in ("project_id", "user_id"):
            is_text = trait.dtype is TraitType.TEXT
            if trait.name not in found or (found[trait.name] is None and is_text):
                found[trait.name] = trait.value if is_text else None
    return tuple(owner_key(found[name]) if name in found else None for name in ("project_id", "user_id"))
