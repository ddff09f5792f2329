# SPDX-License-Identifier: Apache-2.0
"""The names and types of all traits that there are, without reading all shapes again for each request."""

from collections.abc import Set

import orjson
import sqlalchemy as sa

from panko.storage.models import TraitType
from panko.storage.parts import split_by_count
from panko.storage.shapes import Shape
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.queries import fetch
from panko.storage.sqlalchemy.tables import SHAPE

MAX_KNOWN_SHAPES = 20_000
"""Shapes whose traits a process remembers; if there are more, any trait may be there."""

MAX_NAMES = 50_000
"""Names and types that it remembers."""

READ_SHAPES = 500
"""Shapes that one statement reads."""

Known = tuple[frozenset[int], frozenset[int], frozenset[tuple[str, TraitType]]]
"""Ids of shapes, which of these are open, and the names and types of the traits of all others."""

_NOTHING: Known = (frozenset(), frozenset(), frozenset())


class TraitCatalog:
    """Knows the traits of the shapes that it has read; the id of a shape is derived from these.

    :param engine: engine of the database
    :param dialect: dialect of the database
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect):
        self._reader = dialect.reader(engine)
        self._dialect = dialect
        # Replaced as a whole, so that threads need no lock.
        self._known = _NOTHING

    def find_names(self) -> frozenset[tuple[str, TraitType]] | None:
        """Return at least the names and types of all traits of events that are stored now; None: there may be any."""
        some = sa.select(SHAPE.c.id).limit(MAX_KNOWN_SHAPES + 1).subquery()
        (row,) = fetch(self._reader, sa.select(self._dialect.rows_as_json([some.c.id])))
        ids = {id_ for (id_,) in orjson.loads(row[0] or "[]")}
        shapes, are_open, names = self._known
        if len(ids) > MAX_KNOWN_SHAPES or len(names) > MAX_NAMES:
            return None
        if len(shapes) > MAX_KNOWN_SHAPES:  # Most of them were deleted.
            shapes, are_open, names = _NOTHING
        if missing := ids - shapes:
            found = self._read(missing)
            names = names.union(*(shape.traits for shape in found.values()))
            are_open |= {id_ for id_, shape in found.items() if shape.is_open}
            shapes |= found.keys()
            self._known = (shapes, are_open, names)
        # Each event of an open shape has its own traits; another node of a cluster may know fewer shapes.
        return names if ids <= shapes and not are_open & ids else None

    def _read(self, ids: Set[int]) -> dict[int, Shape]:
        """Return the shapes with some ids, without their event types."""
        found = {}
        for some in split_by_count(sorted(ids), READ_SHAPES):
            query = sa.select(SHAPE.c.id, SHAPE.c.traits).where(self._dialect.is_one_of(SHAPE.c.id, list(some)))
            found.update({id_: Shape.read("", document, id_) for id_, document in fetch(self._reader, query)})
        return found
