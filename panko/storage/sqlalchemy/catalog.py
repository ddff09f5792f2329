# SPDX-License-Identifier: Apache-2.0
"""The catalog: event types, shapes and owners, which the rows of events refer to.

Their ids are derived from what they stand for, so that what a process remembers of them never becomes wrong, whatever
is deleted, restored or failed over. At most a row is gone: then a foreign key refuses the events of a writer that
remembers it, and the writer forgets all that it knows and tries again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from panko.storage.sqlalchemy import errors, pieces
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import content_id
from panko.storage.sqlalchemy.shapes import Owner, Shape, kind_of, names_of
from panko.storage.sqlalchemy.tables import EVENT_TYPE, OWNER, SHAPE
from panko.storage.validation import CheckedEvent

MAX_SHAPES = 1000
"""Shapes of one event type, of which further events have the open shape."""

MAX_CACHE_BYTES = 16 << 20

STATEMENT_ROWS = 1000
"""Rows of one statement: databases bound the number of its values."""

Kind = tuple
"""What :func:`~panko.storage.sqlalchemy.shapes.kind_of` returns."""


class Stored(NamedTuple):
    """Ids of the rows that events of a kind refer to.

    :param shape: the shape of the events
    :param shape_id: id of the row, which is that of an open shape if ``shape`` has none
    """

    shape: Shape
    shape_id: int
    event_type_id: int


class Entries:
    """What is known of the catalog by what events have: it only grows.

    :ivar kinds: by event type, names and types
    :ivar owners: ids of the owners
    """

    def __init__(self):
        self.kinds: dict[Kind, Stored] = {}
        self.owners: dict[Owner, int] = {}
        self.size = 0

    def update(self, other: "Entries") -> None:
        """Add what another holds."""
        self.kinds.update(other.kinds)
        self.owners.update(other.owners)
        self.size += sum(stored.shape.size for stored in other.kinds.values()) + 500 * len(other.owners)


class Catalog:
    """The catalog as one process knows it.

    :param reader: engine for short reads
    :param dialect: dialect of the database
    """

    def __init__(self, reader: sa.Engine, dialect: Dialect):
        self._reader = reader
        self._dialect = dialect
        self._entries = Entries()
        self._shapes: dict[int, Shape] = {}
        self._size = 0

    def enter(self, connection: sa.Connection, events: Sequence[CheckedEvent]) -> "Entering":
        """Return what finds the rows that events refer to, and inserts those that are absent.

        :param connection: one in a writer's transaction
        """
        return Entering(connection, self._dialect, self._entries, events)

    def remember(self, new: Entries) -> None:
        """Keep what a transaction has entered, now that it is committed."""
        if self._entries.size > MAX_CACHE_BYTES:
            self._entries = Entries()
        self._entries.update(new)

    def forget(self) -> None:
        """Forget which rows there are: one was removed."""
        self._entries = Entries()

    def shapes(self, ids: Iterable[int]) -> dict[int, Shape]:
        """Return shapes by their ids. One is missing only if its events are deleted, too."""
        known, missing = self._shapes, set(ids)
        found = {id_: known[id_] for id_ in missing if id_ in known}
        missing.difference_update(found)
        if missing:
            columns = (SHAPE.c.id, EVENT_TYPE.c.name, SHAPE.c.traits)
            query = sa.select(*columns).join_from(SHAPE, EVENT_TYPE)
            query = query.where(self._dialect.is_one_of(SHAPE.c.id, sorted(missing)))
            with errors.translate_errors(), self._reader.connect() as connection:
                new = {row.id: Shape.read(row.name, row.traits, row.id) for row in connection.execute(query)}
            self._remember_shapes(new)
            found.update(new)
        return found

    def _remember_shapes(self, new: dict[int, Shape]) -> None:
        size = sum(shape.size for shape in new.values())
        if self._size + size > MAX_CACHE_BYTES:
            self._shapes, self._size = {}, 0
        self._shapes.update(new)
        self._size += size


class Entering:
    """Finds the rows of the catalog that events refer to, in a writer's transaction.

    :ivar new: what was not known before, to be given to :meth:`Catalog.remember` after the commit
    """

    def __init__(self, connection: sa.Connection, dialect: Dialect, known: Entries, events: Sequence[CheckedEvent]):
        self._connection = connection
        self._dialect = dialect
        self.new = Entries()
        kinds = [kind_of(event) for event in events]
        new = {kind: event for kind, event in zip(kinds, events, strict=True) if kind not in known.kinds}
        self._enter_kinds({kind: Shape(event.event_type, names_of(event)) for kind, event in new.items()})
        self.kinds = [known.kinds.get(kind) or self.new.kinds[kind] for kind in kinds]
        owners = [stored.shape.owner_of(event.traits) for stored, event in zip(self.kinds, events, strict=True)]
        missing = {owner: None for owner in owners if owner not in known.owners}
        self.new.owners.update(self._insert(OWNER, missing))
        self.owner_ids = [self.new.owners[owner] if owner in missing else known.owners[owner] for owner in owners]

    def _enter_kinds(self, shapes: Mapping[Kind, Shape]) -> None:
        if not shapes:
            return
        types = self._enter_event_types({shape.event_type for shape in shapes.values()})
        contents = {kind: (types[shape.event_type], shape.document) for kind, shape in shapes.items()}
        ids = self._find(SHAPE, [contents[kind] for kind, shape in shapes.items() if shape.fits_catalog])
        room = self._count_room({content[0] for content in contents.values() if content not in ids})
        for kind, shape in shapes.items():
            event_type_id, _ = content = contents[kind]
            if content not in ids:
                if not shape.fits_catalog or room[event_type_id] <= 0:
                    contents[kind] = (event_type_id, None)
                room[event_type_id] -= 1
        ids.update(self._insert(SHAPE, {content: None for content in contents.values() if content not in ids}))
        for kind, shape in shapes.items():
            event_type_id, document = contents[kind]
            shape_id = ids[contents[kind]]
            shape.id = None if document is None else shape_id
            self.new.kinds[kind] = Stored(shape, shape_id, event_type_id)

    def _count_room(self, growing: set[int]) -> dict[int, int]:
        """Return how many shapes more some event types may have."""
        if not growing:
            return {}
        column = SHAPE.c.event_type_id
        query = sa.select(column, sa.func.count()).where(self._dialect.is_one_of(column, sorted(growing)))
        counts = dict(map(tuple, self._connection.execute(query.group_by(column))))
        return {id_: MAX_SHAPES - counts.get(id_, 0) for id_ in growing}

    def _enter_event_types(self, names: set[str]) -> dict[str, int]:
        query = sa.select(EVENT_TYPE.c.name, EVENT_TYPE.c.id)
        ids: dict[str, int] = {}
        for some in pieces.by_count(sorted(names), STATEMENT_ROWS):
            found = self._connection.execute(query.where(self._dialect.is_one_of(EVENT_TYPE.c.name, some)))
            ids.update(map(tuple, found))
        missing = {(name,): None for name in names if name not in ids}
        return ids | {name: id_ for (name,), id_ in self._insert(EVENT_TYPE, missing).items()}

    def _find(self, table: sa.Table, contents: Iterable[tuple]) -> dict[tuple, int]:
        """Return the ids of the rows that are there with some contents."""
        wanted = {content_id(content): content for content in contents}
        found = self._read(table, wanted)
        return {content: id_ for id_, content in wanted.items() if found.get(id_) == content}

    def _read(self, table: sa.Table, ids: Iterable[int]) -> dict[int, tuple]:
        found: dict[int, tuple] = {}
        for some in pieces.by_count(sorted(ids), STATEMENT_ROWS):
            rows = self._connection.execute(sa.select(table).where(self._dialect.is_one_of(table.c.id, some)))
            found.update((row[0], tuple(row[1:])) for row in rows)
        return found

    def _insert(self, table: sa.Table, contents: Iterable[tuple]) -> dict[tuple, int]:
        """Return the ids of the rows with some contents, and insert those that are absent."""
        ids: dict[tuple, int] = {}
        left, salt = list(contents), 0
        while left:
            wanted: dict[int, tuple] = {}
            for content in left:
                wanted.setdefault(content_id(content, salt), content)
            # In one order, so that two writers cannot wait for each other.
            for some in pieces.by_count(sorted(wanted), STATEMENT_ROWS):
                rows = [dict(zip(table.columns.keys(), (id_, *wanted[id_]), strict=True)) for id_ in some]
                self._connection.execute(self._dialect.insert_absent(table, rows))
            found = self._read(table, wanted)
            ids.update((content, id_) for id_, content in wanted.items() if found.get(id_, content) == content)
            left, salt = [content for content in left if content not in ids], salt + 1
        return ids
