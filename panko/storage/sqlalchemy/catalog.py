# SPDX-License-Identifier: Apache-2.0
"""The catalog: event types, shapes and owners, which the rows of events refer to.

Their ids are derived from their content, so that what a process remembers of them never becomes wrong, whatever is
deleted, restored or failed over. At most a row is gone: then a foreign key refuses the events of a writer that
remembers it, and the writer forgets all that it remembers and tries again.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from panko.storage.filters import Scope
from panko.storage.ids import content_id
from panko.storage.models import is_storable
from panko.storage.owners import Owner, owner_texts_of
from panko.storage.parts import split_by_count
from panko.storage.shapes import Shape, ShapeKey, names_of, shape_key_of
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import TraitKeys
from panko.storage.sqlalchemy.queries import fetch
from panko.storage.sqlalchemy.scopes import owner_conditions_of, select_owners
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE, OWNER, SHAPE
from panko.storage.sqlalchemy.timeouts import Reader
from panko.storage.validation import CheckedEvent

MAX_SHAPES = 1000
"""Shapes of one event type; if it has more, further events use its open shape."""

MAX_CACHE_BYTES = 16 << 20

STATEMENT_ROWS = 1000
"""Rows of one statement: databases limit the number of its values."""


class ShapeEntry(NamedTuple):
    """The rows that events of a shape refer to.

    :param shape: the shape of the events
    :param shape_id: id of its row; if ``shape`` has none, that of the open shape
    :param keys: makes the keys of the events
    """

    shape: Shape
    shape_id: int
    event_type_id: int
    keys: TraitKeys


class KnownRows:
    """The rows of the catalog that a process knows; it only grows.

    :ivar shapes: the rows for events of a shape
    :ivar owners: ids of the owners
    :ivar size: bytes in memory, roughly
    """

    def __init__(self) -> None:
        self.shapes: dict[ShapeKey, ShapeEntry] = {}
        self.owners: dict[Owner, int] = {}
        self.size = 0


@dataclasses.dataclass(frozen=True, slots=True)
class References:
    """The rows that the events of a batch refer to, in the order of the events.

    :param new_shapes: shapes that the process did not know before; call :meth:`Catalog.remember` after the commit
    :param new_owners: likewise
    """

    shapes: Sequence[ShapeEntry]
    owner_ids: Sequence[int]
    new_shapes: Mapping[ShapeKey, ShapeEntry]
    new_owners: Mapping[Owner, int]


class Catalog:
    """The catalog as one process remembers it.

    :param engine: engine of the database
    :param dialect: dialect of the database
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect):
        self._reader = dialect.reader(engine)
        self._dialect = dialect
        self._known = KnownRows()
        self._shapes: dict[int, Shape] = {}
        self._size = 0

    def find_or_insert(self, connection: sa.Connection, events: Sequence[CheckedEvent]) -> References:
        """Return the rows that events refer to, and insert those that are missing.

        :param connection: a connection in a writer's transaction
        """
        known = self._known
        new_shapes: dict[ShapeKey, ShapeEntry] = {}
        new_owners: dict[Owner, int] = {}
        keys = [shape_key_of(event) for event in events]
        unknown = {key: event for key, event in zip(keys, events, strict=True) if key not in known.shapes}
        if unknown:
            missing_shapes = {key: Shape(event.event_type, names_of(event)) for key, event in unknown.items()}
            new_shapes = _CatalogWriter(connection, self._dialect).find_or_insert_shapes(missing_shapes)
        shapes = [known.shapes.get(key) or new_shapes[key] for key in keys]
        owners = [entry.shape.owner_of(event.traits) for entry, event in zip(shapes, events, strict=True)]
        missing = {owner: None for owner in owners if owner not in known.owners}
        if missing:
            new_owners = _CatalogWriter(connection, self._dialect).find_or_insert(OWNER, missing)
        owner_ids = [new_owners[owner] if owner in missing else known.owners[owner] for owner in owners]
        return References(shapes, owner_ids, new_shapes, new_owners)

    def remember(self, references: References) -> None:
        """Remember the rows that a transaction has found or inserted, after its commit."""
        if self._known.size > MAX_CACHE_BYTES:
            self._known = KnownRows()
        if references.new_shapes or references.new_owners:
            known = self._known
            known.shapes.update(references.new_shapes)
            known.owners.update(references.new_owners)
            known.size += sum(entry.shape.size for entry in references.new_shapes.values())
            known.size += 500 * len(references.new_owners)

    def forget(self) -> None:
        """Forget all rows that events refer to, because one was removed."""
        self._known = KnownRows()

    def shapes(self, ids: Iterable[int], reader: Reader | None = None) -> dict[int, Shape]:
        """Return shapes by their ids. One is only missing if its events were deleted, too.

        :param reader: the connection that has read the events, if they must not be taken for deleted because another
            node of a cluster is behind
        """
        known, missing = self._shapes, set(ids)
        found = {id_: known[id_] for id_ in missing if id_ in known}
        missing.difference_update(found)
        if missing:
            columns = (SHAPE.c.id, EVENT_TYPE.c.name, SHAPE.c.traits)
            query = sa.select(*columns).join_from(SHAPE, EVENT_TYPE)
            query = query.where(self._dialect.is_one_of(SHAPE.c.id, sorted(missing)))
            rows = fetch(self._reader if reader is None else reader, query)
            new = {row.id: Shape.read(row.name, row.traits, row.id) for row in rows}
            self._remember_shapes(new)
            found.update(new)
        return found

    def _remember_shapes(self, new: Mapping[int, Shape]) -> None:
        size = sum(shape.size for shape in new.values())
        if self._size + size > MAX_CACHE_BYTES:
            self._shapes, self._size = {}, 0
        self._shapes.update(new)
        self._size += size

    def event_types(self, scope: Scope) -> list[str]:
        """Return the names of the types of the events in scope, sorted."""
        query = sa.select(EVENT_TYPE.c.name).order_by(EVENT_TYPE.c.name)
        if owners := owner_conditions_of(scope):
            query = query.where(EVENT_TYPE.c.id.in_(sa.select(SHAPE.c.event_type_id).where(_has_events(owners))))
        return [row.name for row in fetch(self._reader, query, owner_texts_of(scope))]

    def event_type_ids(self, names: Sequence[str] = ()) -> dict[str, int]:
        """Return the ids of event types by their names, sorted; some may be missing.

        :param names: the event types; none: all
        """
        query = sa.select(EVENT_TYPE.c.name, EVENT_TYPE.c.id).order_by(EVENT_TYPE.c.name)
        ids: dict[str, int] = {}
        for some in split_by_count(list(filter(is_storable, names)), STATEMENT_ROWS) if names else [()]:
            of_some = query.where(self._dialect.is_one_of(EVENT_TYPE.c.name, list(some))) if some else query
            ids.update(map(tuple, fetch(self._reader, of_some)))
        return ids

    def shapes_of(self, event_type: str, scope: Scope) -> dict[int, Shape]:
        """Return the shapes of the events in scope of a type, by their ids."""
        query = sa.select(SHAPE.c.id).join_from(SHAPE, EVENT_TYPE).where(EVENT_TYPE.c.name == event_type)
        if owners := owner_conditions_of(scope):
            query = query.where(_has_events(owners))
        return self.shapes(row.id for row in fetch(self._reader, query, owner_texts_of(scope)))


def _has_events(owners: frozenset[str]) -> sa.ColumnElement[bool]:
    """Return the condition that an event in scope has a shape: one step in an index for each owner.

    :param owners: see :func:`~panko.storage.sqlalchemy.scopes.owner_conditions_of`
    """
    event = sa.select(EVENT.c.id).where(EVENT.c.shape_id == SHAPE.c.id, EVENT.c.owner_id == OWNER.c.id).limit(1)
    has_event = event.correlate(SHAPE, OWNER).scalar_subquery().is_not(None)
    owner = select_owners(owners).where(has_event).limit(1)
    return owner.correlate(SHAPE).scalar_subquery().is_not(None)


class _CatalogWriter:
    """Finds or inserts rows of the catalog in a writer's transaction."""

    def __init__(self, connection: sa.Connection, dialect: Dialect):
        self._connection = connection
        self._dialect = dialect

    def find_or_insert_shapes(self, shapes: Mapping[ShapeKey, Shape]) -> dict[ShapeKey, ShapeEntry]:
        """Return the rows for shapes, set the ids of these, and insert the rows that are missing."""
        types = self._find_or_insert_event_types({shape.event_type for shape in shapes.values()})
        contents: dict[ShapeKey, tuple[int, str | None]] = {
            key: (types[shape.event_type], shape.document) for key, shape in shapes.items()
        }
        ids = self._find(SHAPE, [contents[key] for key, shape in shapes.items() if shape.fits_catalog])
        room = self._count_room({content[0] for content in contents.values() if content not in ids})
        for key, shape in shapes.items():
            event_type_id, _ = content = contents[key]
            if content not in ids:
                if not shape.fits_catalog or room[event_type_id] <= 0:
                    contents[key] = (event_type_id, None)
                room[event_type_id] -= 1
        ids.update(self.find_or_insert(SHAPE, {content: None for content in contents.values() if content not in ids}))
        entries = {}
        for key, shape in shapes.items():
            event_type_id, document = contents[key]
            shape_id = ids[contents[key]]
            shape.id = None if document is None else shape_id
            entries[key] = ShapeEntry(shape, shape_id, event_type_id, TraitKeys(shape))
        return entries

    def _count_room(self, growing: Collection[int]) -> dict[int, int]:
        """Return how many more shapes some event types may have."""
        if not growing:
            return {}
        column = SHAPE.c.event_type_id
        query = sa.select(column, sa.func.count()).where(self._dialect.is_one_of(column, sorted(growing)))
        counts = dict(map(tuple, self._connection.execute(query.group_by(column))))
        return {id_: MAX_SHAPES - counts.get(id_, 0) for id_ in growing}

    def _find_or_insert_event_types(self, names: Collection[str]) -> dict[str, int]:
        query = sa.select(EVENT_TYPE.c.name, EVENT_TYPE.c.id)
        ids: dict[str, int] = {}
        for some in split_by_count(sorted(names), STATEMENT_ROWS):
            found = self._connection.execute(query.where(self._dialect.is_one_of(EVENT_TYPE.c.name, some)))
            ids.update(map(tuple, found))
        missing = {(name,): None for name in names if name not in ids}
        return ids | {name: id_ for (name,), id_ in self.find_or_insert(EVENT_TYPE, missing).items()}

    def _find(self, table: sa.Table, contents: Iterable[tuple]) -> dict[Any, int]:
        """Return the ids of the existing rows with some contents."""
        wanted = {content_id(content): content for content in contents}
        found = self._read(table, wanted)
        return {content: id_ for id_, content in wanted.items() if found.get(id_) == content}

    def _read(self, table: sa.Table, ids: Iterable[int]) -> dict[int, tuple]:
        found: dict[int, tuple] = {}
        for some in split_by_count(sorted(ids), STATEMENT_ROWS):
            rows = self._connection.execute(sa.select(table).where(self._dialect.is_one_of(table.c.id, some)))
            found.update((row[0], tuple(row[1:])) for row in rows)
        return found

    def find_or_insert(self, table: sa.Table, contents: Iterable[tuple]) -> dict[Any, int]:
        """Return the ids of the rows with some contents, and insert those that are missing."""
        ids: dict[tuple, int] = {}
        left, salt = list(contents), 0
        while left:
            wanted: dict[int, tuple] = {}
            for content in left:
                wanted.setdefault(content_id(content, salt), content)
            # Always in the same order, so that two writers cannot deadlock.
            for some in split_by_count(sorted(wanted), STATEMENT_ROWS):
                rows = [dict(zip(table.columns.keys(), (id_, *wanted[id_]), strict=True)) for id_ in some]
                self._connection.execute(self._dialect.insert_absent(table, rows))
            found = self._read(table, wanted)
            ids.update((content, id_) for id_, content in wanted.items() if found.get(id_, content) == content)
            left, salt = [content for content in left if content not in ids], salt + 1
        return ids
