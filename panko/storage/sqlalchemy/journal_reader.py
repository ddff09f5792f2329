# SPDX-License-Identifier: Apache-2.0
"""Read the journal: its entries from a cursor on, and the ids of their events."""

import bisect
import dataclasses
import functools
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson
import sqlalchemy as sa

from panko.storage.errors import SchemaMismatch
from panko.storage.models import INT64
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.queries import fetch, number
from panko.storage.sqlalchemy.tables import EVENT, FEED_STATE, JOURNAL_ENTRY, PENDING_ENTRY
from panko.storage.sqlalchemy.timeouts import Reader

MAX_ENTRIES = 1000
"""Entries that one statement reads."""

MAX_LISTED_IDS = 10_000
"""Ids of an entry that are assumed to exist. If an entry has more, they are looked up: few events may be left of it."""

MAX_ID = INT64.stop - 1
"""No position and no id is greater."""

_CURSOR = struct.Struct(">qq")


class Cursor(NamedTuple):
    """How far a reader has read.

    :param position: position of an entry
    :param event_id: id of the last event of this entry that was consumed
    """

    position: int
    event_id: int

    @classmethod
    def unpack(cls, cursor: bytes) -> "Cursor":
        """Return the cursor of the contract in parts; one that no journal has if it is not one of this driver."""
        return cls(*_CURSOR.unpack(cursor)) if len(cursor) == _CURSOR.size else cls(-1, 0)

    def pack(self) -> bytes:
        """Return the cursor of the contract."""
        return _CURSOR.pack(*self)


Entry = tuple[int, int, int]
"""A row of the journal: position, first_id, last_id."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """A part of the journal.

    :param begin: the cursor after the last entry that was removed
    :param end: the cursor after the newest entry
    :param has_pending: whether entries wait for a position, if they were looked for
    :param entries: the entries, in order
    :param is_complete: whether no entries follow, up to ``end``
    """

    begin: Cursor
    end: Cursor
    has_pending: bool
    entries: Sequence[Entry]
    is_complete: bool

    def has(self, cursor: Cursor) -> bool:
        """Return whether a cursor is in this part."""
        if cursor == self.begin:
            return True
        index = bisect.bisect_left(self.entries, (cursor.position,))
        if index == len(self.entries):
            return False
        position, first_id, last_id = self.entries[index]
        return position == cursor.position and first_id <= cursor.event_id <= last_id

    def ends_before(self, cursor: Cursor) -> bool:
        """Return whether a cursor may be in a later part."""
        return not self.is_complete and cursor.position > self.entries[-1][0]


class JournalReader:
    """Reads parts of the journal.

    :param reader: engine or connection for short reads
    :param dialect: dialect of the database
    """

    def __init__(self, reader: Reader, dialect: Dialect):
        self._reader = reader
        self._dialect = dialect

    def look(self, first: int, size: int, end: Cursor | None = None, since: int = MAX_ID) -> View:
        """Return the part of the journal that begins at a position.

        :param size: maximum number of entries
        :param end: ignore entries after this cursor; None: read up to the newest entry
        :param since: least first id of pending entries to look for; by default none
        """
        parameters = {"first": first, "since": since, "size": size}
        rows = fetch(self._reader, _view_query(self._dialect), parameters)
        trimmed, trimmed_id, newest, newest_id, has_pending, document = _state_of(rows)
        begin = Cursor(trimmed, trimmed_id)
        if end is None:
            end = begin if newest is None else Cursor(newest, newest_id)
        entries: list[Entry] = sorted(map(tuple, orjson.loads(document or "[]")))
        is_complete = len(entries) < size
        while entries and entries[-1][0] > end.position:
            del entries[-1]
            is_complete = True
        return View(begin, end, bool(has_pending), entries, is_complete)

    def read_secret(self) -> bytes:
        """Return the key that the API encrypts cursors with."""
        return bytes(_state_of(fetch(self._reader, sa.select(FEED_STATE.c.secret))).secret)

    def find_ids(self, first_id: int, last_id: int, max_count: int) -> Sequence[int]:
        """Return the least ids of events in a range."""
        query = sa.select(EVENT.c.id).where(EVENT.c.id >= first_id, EVENT.c.id <= last_id)
        return [row.id for row in fetch(self._reader, query.order_by(EVENT.c.id).limit(max_count))]


def _state_of(rows: Sequence[sa.Row]) -> sa.Row:
    """Return the first row of a query for the state."""
    if not rows:
        raise SchemaMismatch("The table feed_state has no row. Restore it from a backup.")
    return rows[0]


@functools.lru_cache(maxsize=100)
def _view_query(dialect: Dialect) -> sa.Select:
    """Return the query for the state of the journal and some entries, all at the same moment.

    The one row: trimmed, trimmed_id, position and last_id of the newest entry (NULL if there is none), whether entries
    are pending, and the entries as JSON, in any order.
    """
    columns = JOURNAL_ENTRY.c
    newest = sa.select(columns.position, columns.last_id).order_by(columns.position.desc()).limit(1).subquery("newest")
    pending: sa.ColumnElement[bool] = sa.false()
    if dialect.HAS_PENDING_ENTRIES:
        # In order, as PostgreSQL would otherwise not use the index, and read what placed entries leave behind.
        oldest = sa.select(PENDING_ENTRY.c.first_id).where(PENDING_ENTRY.c.first_id >= number("since"))
        pending = oldest.order_by(PENDING_ENTRY.c.first_id).limit(1).scalar_subquery().is_not(None)
    # Do not search the index through entries that were removed.
    kept = FEED_STATE.c.trimmed + sa.literal_column("1")
    first = sa.select(sa.case((number("first") < kept, kept), else_=number("first"))).scalar_subquery()
    # With a second bound, PostgreSQL would expect so few entries that it read and sorted all of them.
    following = sa.select(*columns).where(columns.position >= first)
    size = sa.bindparam("size", type_=sa.Integer, literal_execute=True)
    part = following.order_by(columns.position).limit(size).subquery("part")
    entries = sa.select(dialect.rows_as_json(part.c)).scalar_subquery()
    state = sa.select(*FEED_STATE.c["trimmed", "trimmed_id"], newest.c.position, newest.c.last_id, pending, entries)
    return state.select_from(FEED_STATE.join(newest, sa.true(), isouter=True))


class Walk:
    """Goes through the ids of the events after a cursor.

    :param journal: reads more entries
    :param view: the part of the journal that begins at the cursor, or before it
    :param cursor: where to start
    :ivar cursor: how far it has gone
    """

    def __init__(self, journal: JournalReader, view: View, cursor: Cursor):
        self._journal = journal
        self._view = view
        self._next = bisect.bisect_left(view.entries, (cursor.position,))
        self.cursor = cursor

    def take(self, max_count: int) -> dict[int, int]:
        """Return the next ids, in order, each with the position of its entry. Some may not exist (any more).

        If the cursor does not advance, no event follows.
        """
        positions: dict[int, int] = {}
        while len(positions) < max_count and (entry := self._find_entry()):
            position, first_id, last_id = entry
            if position == self.cursor.position:
                first_id = self.cursor.event_id + 1
            if first_id < last_id:
                ids, last_id = self._ids_between(first_id, last_id, max_count - len(positions))
                positions.update(dict.fromkeys(ids, position))
            elif first_id == last_id:
                positions[last_id] = position
            self.cursor = Cursor(position, last_id)
        return positions

    def _find_entry(self) -> Entry | None:
        """Return the entry that has the next events, or none; None if no entry follows."""
        if self._next < len(self._view.entries):
            entry = self._view.entries[self._next]
            # Its last event may have been consumed.
            if self.cursor < (entry[0], entry[2]):
                return entry
            self._next += 1
            return self._find_entry()
        if self._view.is_complete:
            return None
        self._view = self._journal.look(self.cursor.position + 1, MAX_ENTRIES, self._view.end)
        self._next = 0
        if self._view.begin > self.cursor:
            # The next entries were removed meanwhile: the cursor is gone, which the next call reports.
            self._view = dataclasses.replace(self._view, entries=(), is_complete=True)
        return self._find_entry()

    def _ids_between(self, first_id: int, last_id: int, max_count: int) -> tuple[Iterable[int], int]:
        """Return some of the ids of an entry, and the last id that was considered."""
        if last_id - first_id < MAX_LISTED_IDS:
            last_id = min(last_id, first_id + max_count - 1)
            return range(first_id, last_id + 1), last_id
        ids = self._journal.find_ids(first_id, last_id, max_count)
        return ids, ids[-1] if len(ids) == max_count else last_id
