# SPDX-License-Identifier: Apache-2.0
"""The catalog: which event types there are, and which traits each of them has.

Writers keep it in memory and add what is new; the expirer removes what no event has any more. So that no writer counts
on a row that is being removed, a writer's transaction shares the catalog and a removal owns it. A removal moves the
catalog's version on, by which writers see that their memory is stale.
"""

import datetime
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from panko.storage.models import CheckedEvent, TraitType
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.retries import repeated
from panko.storage.sqlalchemy.tables import CATALOG, EVENT, EVENT_TYPE, SEEN_AGAIN, TRAIT_TYPE
from panko.storage.sqlalchemy.types import MICROSECOND

STATEMENT_ROWS = 1000
"""Rows of one statement: databases bound the number of its values."""


class TraitKey(NamedTuple):
    """A trait that events of a type have."""

    event_type_id: int
    dtype: int
    name: str


class Names:
    """What a process's writers know of the catalog; it only grows, and what was never committed does not get in.

    :param version: version of the catalog that this is true of
    """

    def __init__(self, version: int | None = None):
        self.version = version
        self.event_types: dict[str, int] = {}
        self.last_seen: dict[TraitKey, datetime.datetime] = {}

    def update(self, other: "Names") -> None:
        """Add what another holds."""
        self.event_types.update(other.event_types)
        self.last_seen.update(other.last_seen)


class Catalog:
    """The catalog as the writers of one process use it.

    :param dialect: dialect of the database
    """

    def __init__(self, dialect: Dialect):
        self._dialect = dialect
        self._names = Names()

    def enter(self, connection: sa.Connection, version: int, events: Sequence[CheckedEvent]) -> Names:
        """Make sure, in a writer's transaction, that the catalog names what these events are and have.

        :param version: the catalog's version, which the transaction shares
        :returns: the ids of at least their event types, and what is to be given to :meth:`remember` after the commit
        """
        known = self._names if self._names.version == version else Names(version)
        entered = Names(version)
        entered.event_types = self._enter_event_types(connection, known, {event.event_type for event in events})
        entered.last_seen = _find_new(events, entered.event_types, known.last_seen)
        self._enter_traits(connection, entered.last_seen)
        return entered

    def remember(self, names: Names) -> None:
        """Keep what :meth:`enter` returned, now that its transaction is committed."""
        if self._names.version != names.version:
            self._names = names
        else:
            self._names.update(names)

    def _enter_event_types(self, connection: sa.Connection, known: Names, wanted: set[str]) -> dict[str, int]:
        ids = {name: known.event_types[name] for name in wanted if name in known.event_types}
        new = sorted(wanted.difference(ids))  # In one order, so that writers do not wait for each other in a circle.
        for start in range(0, len(new), STATEMENT_ROWS):
            some = new[start : start + STATEMENT_ROWS]
            connection.execute(self._dialect.insert_absent(EVENT_TYPE, [{"name": name} for name in some]))
            found = sa.select(EVENT_TYPE.c.name, EVENT_TYPE.c.id).where(EVENT_TYPE.c.name.in_(some))
            ids.update((row.name, row.id) for row in connection.execute(found))
        return ids

    def _enter_traits(self, connection: sa.Connection, last_seen: Mapping[TraitKey, datetime.datetime]) -> None:
        rows = [{**key._asdict(), "last_seen": seen} for key, seen in sorted(last_seen.items())]
        for start in range(0, len(rows), STATEMENT_ROWS):
            some = rows[start : start + STATEMENT_ROWS]
            connection.execute(self._dialect.insert_or_advance(TRAIT_TYPE, TRAIT_TYPE.c.last_seen, some))


_NAME_AND_TYPE = operator.itemgetter(0, 1)


def _find_new(
    events: Iterable[CheckedEvent], event_types: Mapping[str, int], known: Mapping[TraitKey, datetime.datetime]
) -> dict[TraitKey, datetime.datetime]:
    """Return the traits of events that are not known, or not as late as that, and when the latest event has each."""
    # Events of one type mostly have the same traits, so that few kinds of events make many.
    kinds: dict[tuple, CheckedEvent] = {}
    for event in events:
        kind = (event.event_type, *map(_NAME_AND_TYPE, event.traits))
        if kind not in kinds or kinds[kind].generated < event.generated:
            kinds[kind] = event
    new: dict[TraitKey, datetime.datetime] = {}
    for event in kinds.values():
        event_type_id, generated = event_types[event.event_type], event.generated
        for name, dtype, _ in event.traits:
            seen = known.get((event_type_id, dtype, name))
            if seen is None or generated - seen > SEEN_AGAIN:
                key = TraitKey(event_type_id, int(dtype), name)
                new[key] = max(generated, new.get(key, generated))
    return new


@repeated()
def remove_unused(engine: sa.Engine, dialect: Dialect, expired_before: datetime.datetime) -> None:
    """Remove the event types, and the traits of types, that no event has.

    :param expired_before: all events generated before that time are deleted already (naive UTC)
    """
    unused_types = sa.select(EVENT_TYPE.c.id).where(~sa.exists().where(EVENT.c.event_type_id == EVENT_TYPE.c.id))
    unused_traits = _select_unused_traits(dialect, expired_before)
    with engine.connect() as connection:
        if not any(connection.execute(query.limit(1)).first() for query in (unused_types, unused_traits)):
            return
    with engine.begin() as connection:
        dialect.own_catalog(connection)
        types = connection.scalars(unused_types).all()
        connection.execute(sa.delete(EVENT_TYPE).where(EVENT_TYPE.c.id.in_(types)))
        connection.execute(sa.delete(TRAIT_TYPE).where(TRAIT_TYPE.c.event_type_id.in_(types)))
        for row in connection.execute(unused_traits).all():
            key = (column == value for column, value in zip(TRAIT_TYPE.primary_key, row, strict=True))
            connection.execute(sa.delete(TRAIT_TYPE).where(*key))
        connection.execute(sa.update(CATALOG).values(version=CATALOG.c.version + 1))


def _select_unused_traits(dialect: Dialect, expired_before: datetime.datetime) -> sa.Select:
    """Return the query for the primary keys of the traits of types that no event has.

    A trait that was seen since ``expired_before`` is in use. One that was not may be in events up to SEEN_AGAIN later,
    which are looked through.
    """
    label = sa.case({int(type_): type_.label for type_ in TraitType}, value=TRAIT_TYPE.c.dtype)
    generated, last_seen = (sa.type_coerce(c, sa.BigInteger) for c in (EVENT.c.generated, TRAIT_TYPE.c.last_seen))
    holder = sa.exists().where(
        EVENT.c.event_type_id == TRAIT_TYPE.c.event_type_id,
        generated <= last_seen + SEEN_AGAIN // MICROSECOND,
        dialect.names_trait(TRAIT_TYPE.c.name, label),
    )
    return sa.select(*TRAIT_TYPE.primary_key).where(TRAIT_TYPE.c.last_seen < expired_before, ~holder)
