# SPDX-License-Identifier: Apache-2.0
"""Storing events: one batch, one transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from panko.storage import documents
from panko.storage.models import TRAIT_TYPES_BY_LABEL, CheckedEvent, Trait, TraitType
from panko.storage.sqlalchemy.catalog import Catalog
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import EventIds, name_key, owner_key, text_key
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT_CHANGE, TRAIT_INDEXES
from panko.storage.sqlalchemy.tally import Settling, changes
from panko.storage.sqlalchemy.types import to_microseconds

IndexRows = Mapping[TraitType, set[tuple]]
"""Rows of the index tables by the type of trait."""

# An attribute of an enumeration takes several times as long to look up, and each event has a dozen traits.
_TEXT, _INTEGER, _FLOAT, _ = TraitType
_TEXT_LABEL = _TEXT.label

_OWNERS = ("project_id", "user_id")
"""The traits that name whom an event belongs to."""


def no_index_rows() -> IndexRows:
    """Return what :func:`add_index_rows` adds to."""
    return {trait_type: set() for trait_type in TraitType}


class Writer:
    """Stores batches of events, for many threads at once.

    :param engine: engine of the database
    :param dialect: its dialect
    :param settling: is told how many counts each batch changes
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect, settling: Settling):
        self._engine = engine
        self._dialect = dialect
        self._catalog = Catalog(dialect)
        self._ids = EventIds()
        self._settling = settling

    def write(self, events: Sequence[CheckedEvent]) -> int:
        """Store those of the events, no two of one message_id, that are not there yet: all of them or none.

        :returns: how many were stored
        :raises oslo_db.exception.DBDuplicateEntry: where another writer stored one of them meanwhile: try again
        """
        with self._engine.begin() as connection:
            version = self._dialect.share_catalog(connection)
            stored = self._find_stored(connection, [event.message_id for event in events])
            if stored:
                events = [event for event in events if event.message_id not in stored]
            if not events:
                return 0
            names = self._catalog.enter(connection, version, events)
            index_rows: dict[TraitType, list[tuple]] = {}
            ids = self._ids.take(len(events))
            times = [to_microseconds(event.generated) for event in events]
            types = [names.event_types[event.event_type] for event in events]
            rows = _make_rows(zip(events, ids, types, times, strict=True), index_rows)
            self._dialect.insert_rows(connection, EVENT, rows)
            for trait_type, table in TRAIT_INDEXES.items():
                self._dialect.insert_rows(connection, table, index_rows[trait_type])
            changed = changes(zip(times, types, strict=True), ids[0], 1)
            self._dialect.insert_rows(connection, EVENT_COUNT_CHANGE, changed)
        self._catalog.remember(names)
        self._settling.add(len(changed))
        return len(events)

    def _find_stored(self, connection: sa.Connection, message_ids: list[str]) -> set[str]:
        condition = self._dialect.is_one_of(EVENT.c.message_id, message_ids)
        return set(connection.scalars(sa.select(EVENT.c.message_id).where(condition)))


def _make_rows(
    events: Iterable[tuple[CheckedEvent, int, int, int]], index_rows: dict[TraitType, list[tuple]]
) -> Iterator[tuple]:
    """Yield the events' rows, and meanwhile put those of the index tables into lists, in the order of their keys.

    A database that takes rows as they come works at the same time.

    :param events: each with its id, the id of its type, and its time in microseconds since 1970
    :param index_rows: takes the lists
    """
    found = no_index_rows()
    for event, event_id, event_type_id, generated in events:
        yield _event_row(event, event_id, event_type_id, generated)
        add_index_rows(found, event.traits, generated, event_id)
    index_rows.update((trait_type, sorted(rows)) for trait_type, rows in found.items())


def add_index_rows(rows: IndexRows, traits: Iterable[Trait], generated: int, event_id: int) -> None:
    """Add the rows by which the index tables find a checked event's traits.

    :param generated: the event's time in microseconds since 1970
    """
    texts, integers, floats, datetimes = rows.values()
    for name, trait_type, value in traits:
        if trait_type is _TEXT:
            texts.add((text_key(name, value), generated, event_id))
        elif trait_type is _INTEGER:
            integers.add((name_key(name), value, generated, event_id))
        elif trait_type is _FLOAT:
            floats.add((name_key(name), value, generated, event_id))
        else:
            datetimes.add((name_key(name), to_microseconds(value), generated, event_id))


def add_written_rows(rows: IndexRows, traits: str, generated: int, event_id: int) -> None:
    """Add the same rows for a stored event, without making its traits again.

    :param traits: what :func:`panko.storage.documents.traits_document` returned
    :param generated: microseconds since 1970
    """
    for name, written, label in documents.read_members(traits):
        if label == _TEXT_LABEL:
            rows[_TEXT].add((text_key(name, written), generated, event_id))
            continue
        trait_type = TRAIT_TYPES_BY_LABEL[label]
        value = trait_type.parse(written)
        if trait_type is TraitType.DATETIME:
            value = to_microseconds(value)
        rows[trait_type].add((name_key(name), value, generated, event_id))


def _event_row(event: CheckedEvent, event_id: int, event_type_id: int, generated: int) -> tuple:
    project_id, user_id = _owner(event.traits)
    return (
        event_id,
        event.message_id,
        event_type_id,
        generated,
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
    for name, trait_type, value in traits:
        if name in _OWNERS:
            is_text = trait_type is _TEXT
            if name not in found or (found[name] is None and is_text):
                found[name] = value if is_text else None
    return tuple(owner_key(found[name]) if name in found else None for name in _OWNERS)
