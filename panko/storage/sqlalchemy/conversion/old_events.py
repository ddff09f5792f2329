# SPDX-License-Identifier: Apache-2.0
"""Read events from the tables of Panko 10, a batch at a time, in bounded memory."""

import contextlib
import datetime
import decimal
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from panko.storage.errors import InvalidEvent, excerpt
from panko.storage.models import EPOCH, Event, Trait, TraitType
from panko.storage.sqlalchemy.conversion.old_tables import OLD_EVENT, OLD_TRAITS, OLD_TYPE, TRAIT_TABLES
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.validation import CheckedEvent, checked_event

BATCH_EVENTS = 1000
"""Events of a batch, and so of one transaction that stores them."""

BATCH_BYTES = 8 << 20
"""Bytes of the raw notifications of a batch, unless a single event has more."""

MAX_TRAIT_ROWS = 50_000
"""Rows of one table of traits for a batch; a batch with more is halved, unless it is a single event."""

_new_tuple = tuple.__new__  # It takes a third of the time of Trait(), and there are a dozen traits per event.

EMPTY_RAW = frozenset((None, "{}"))


class Rejected(NamedTuple):
    """A row that is not converted.

    :param table: name of the table in Panko 10
    :param row: the row by column
    :param event_id: id of the event in Panko 10 if the whole event is rejected
    """

    table: str
    reason: str
    row: dict[str, Any]
    event_id: int | None = None

    @property
    def document(self) -> str:
        """All as JSON in ASCII, which each database can store, whatever the row contains."""
        row = {name: _plain(value) for name, value in self.row.items()}
        return json.dumps({"table": self.table, "reason": self.reason, "row": row})


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if value is None or type(value) in (int, str) else str(value)


@dataclass(slots=True)
class Batch:
    """Events with consecutive ids.

    :param first_id: the least id
    :param events: the events to store, with their ids in Panko 10, in the order of these
    :param rejected: rows that cannot be stored; an event in it is not in ``events``
    :param count: number of events, including rejected ones
    """

    first_id: int
    events: list[tuple[int, CheckedEvent]]
    rejected: list[Rejected]
    count: int


class OldEvents:
    """The events in the tables of Panko 10.

    :param connection: a connection that nothing else uses
    :param dialect: dialect of the database
    """

    def __init__(self, connection: sa.Connection, dialect: Dialect):
        self._connection = connection
        is_postgresql = connection.dialect.name == "postgresql"
        # As text, since Python has no value for the times infinity and 4713 BC.
        self._time = (lambda column: sa.cast(column, sa.Text)) if is_postgresql else (lambda column: column)
        octets: sa.ColumnClause[int] = sa.literal_column(dialect.octets(OLD_EVENT.c.raw))
        size = sa.func.coalesce(octets, 0)
        below = sa.select(OLD_EVENT.c.id, size).where(OLD_EVENT.c.id <= sa.bindparam("place"))
        self._sizes_query = below.order_by(OLD_EVENT.c.id.desc()).limit(sa.bindparam("limit"))
        first: sa.BindParameter[int] = sa.bindparam("first")
        last: sa.BindParameter[int] = sa.bindparam("last")
        columns = OLD_EVENT.c.id, OLD_EVENT.c.message_id, OLD_TYPE.c.desc, self._time(OLD_EVENT.c.generated)
        joined = OLD_EVENT.outerjoin(OLD_TYPE, OLD_TYPE.c.id == OLD_EVENT.c.event_type_id)
        events = sa.select(*columns, OLD_EVENT.c.raw).select_from(joined)
        self._events_query = events.where(OLD_EVENT.c.id.between(first, last)).order_by(OLD_EVENT.c.id)
        self._trait_queries = {
            name: self._select_traits(name).where(table.c.event_id.between(first, last)).limit(sa.bindparam("limit"))
            for name, table in OLD_TRAITS.items()
        }

    def _select_traits(self, name: str) -> sa.Select[Any]:
        columns = OLD_TRAITS[name].c
        value = self._time(columns.value) if name == "trait_datetime" else columns.value
        return sa.select(columns.event_id, columns.key, value)

    def read(self, place: int, limit: int = BATCH_EVENTS) -> Batch | None:
        """Return the batch of the greatest ids up to a place; None if there is no event any more.

        :param limit: maximum number of events
        """
        sizes = self._fetch(self._sizes_query, place=place, limit=limit)
        count = _count_fitting([size for _, size in sizes])
        while count:
            first, last = sizes[count - 1][0], sizes[0][0]
            traits = self._read_traits(first, last, limited=count > 1)
            if traits is not None:
                return self._make_batch(first, last, traits)
            count //= 2
        return None

    def _read_traits(self, first: int, last: int, *, limited: bool) -> dict[int, list[Trait]] | None:
        """Return the traits of the events with some ids; None if they are too many."""
        traits: dict[int, list[Trait]] = defaultdict(list)
        limit = MAX_TRAIT_ROWS if limited else 2**31
        for name, type_ in TRAIT_TABLES.items():
            rows = self._fetch(self._trait_queries[name], first=first, last=last, limit=limit)
            if limited and len(rows) == limit:
                return None
            is_time = type_ is TraitType.DATETIME
            for event_id, key, value in rows:
                value = decode_time(value) if is_time else value
                traits[event_id].append(_new_tuple(Trait, (key, type_, value)))
        return traits

    def _make_batch(self, first: int, last: int, traits: dict[int, list[Trait]]) -> Batch:
        batch = Batch(first, [], [], 0)
        for id_, message_id, event_type, generated, raw in self._fetch(self._events_query, first=first, last=last):
            row = {"id": id_, "message_id": message_id, "event_type": event_type, "generated": generated, "raw": raw}
            batch.count += 1
            event = _decode(row, traits.get(id_, []), batch.rejected)
            if event is not None:
                batch.events.append((id_, event))
        return batch

    def find_orphans(self, name: str, first: int, last: int, limit: int) -> list[Rejected]:
        """Return traits of missing events, those with the greatest ids first.

        :param name: name of the table of traits in Panko 10
        :param first: least id of the events; ``last`` is the greatest one
        """
        table = OLD_TRAITS[name]
        orphans = self._select_traits(name).select_from(table.outerjoin(OLD_EVENT, OLD_EVENT.c.id == table.c.event_id))
        orphans = orphans.where(table.c.event_id.between(first, last), OLD_EVENT.c.id.is_(None))
        rows = self._fetch(orphans.order_by(table.c.event_id.desc(), table.c.key).limit(limit))
        return [
            Rejected(name, "its event is missing", {"event_id": event_id, "key": key, "value": value})
            for event_id, key, value in rows
        ]

    def find_last(self) -> int | None:
        """Return the greatest id of an event; None if there is no event."""
        ((last,),) = self._fetch(sa.select(sa.func.max(OLD_EVENT.c.id)))
        return None if last is None else int(last)

    def read_message_ids(self, place: int, limit: int) -> Sequence[tuple[Any, ...]]:
        """Return id, message_id and time of the events with the greatest ids up to a place."""
        columns = OLD_EVENT.c.id, OLD_EVENT.c.message_id, self._time(OLD_EVENT.c.generated)
        query = sa.select(*columns).where(OLD_EVENT.c.id <= place).order_by(OLD_EVENT.c.id.desc()).limit(limit)
        return self._fetch(query)

    def find_last_trait(self, name: str, place: int) -> int | None:
        """Return the greatest id of an event with a trait, up to a place; None if there is none.

        :param name: name of the table of traits in Panko 10
        """
        event_id = OLD_TRAITS[name].c.event_id
        ((last,),) = self._fetch(sa.select(sa.func.max(event_id)).where(event_id <= place))
        return None if last is None else int(last)

    def _fetch(self, query: sa.Select[Any], **parameters: Any) -> Sequence[tuple[Any, ...]]:
        try:
            # Plain tuples, as rows of SQLAlchemy take as long as the query.
            rows: Sequence[tuple[Any, ...]] = self._connection.execute(query, parameters).cursor.fetchall()
            return rows
        finally:
            self._connection.rollback()  # A transaction would keep the space of deleted rows from being used again.


@contextlib.contextmanager
def reading_any_text(connection: sa.Connection) -> Iterator[None]:
    """Make a connection to SQLite return text that is not UTF-8 with surrogates, instead of raising an error."""
    if not isinstance(connection.dialect, SQLiteDialect):
        yield
        return
    raw: Any = connection.connection.dbapi_connection
    raw.text_factory = lambda octets: octets.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        raw.text_factory = str


def _count_fitting(sizes: Sequence[int]) -> int:
    """Return how many of the first events fit into a batch; at least 1 if there is any."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if count and total > BATCH_BYTES:
            return count
    return len(sizes)


def decode_time(value: Any) -> Any:
    """Return a stored time as :func:`panko.storage.models.convert_datetime` takes it; unchanged if it is none.

    MariaDB and MySQL have seconds since 1970, SQLite and PostgreSQL texts.
    """
    try:
        if isinstance(value, str):
            return datetime.datetime.fromisoformat(value)
        if isinstance(value, decimal.Decimal | int):
            return EPOCH + datetime.timedelta(microseconds=int(value * 1_000_000))
    except (ValueError, OverflowError):
        pass
    return value


def _decode(row: dict[str, Any], traits: list[Trait], rejected: list[Rejected]) -> CheckedEvent | None:
    """Return the event of a row; None if it is rejected.

    :param rejected: rows that are rejected are added to it: the event, or parts of it that it is stored without
    """
    raw = {} if row["raw"] in EMPTY_RAW else _decode_raw(row, rejected)
    generated = decode_time(row["generated"])
    event = Event(row["message_id"], row["event_type"], generated, traits, raw)
    try:
        return checked_event(event)
    except InvalidEvent:
        pass  # Find out which part of it is invalid.
    try:
        bare = checked_event(Event(event.message_id, event.event_type, generated))
    except InvalidEvent as error:
        rejected.append(reject_event(row, traits, str(error)))
        return None
    valid, invalid = _split_traits(bare, traits)
    for trait, why in invalid:
        values = {"event_id": row["id"], "key": trait.name, "value": trait.value}
        rejected.append(Rejected(_table_of(trait), why, values))
    try:
        return checked_event(Event(event.message_id, event.event_type, generated, valid, raw))
    except InvalidEvent as error:
        rejected.append(_reject_raw(row, error))
        return checked_event(Event(event.message_id, event.event_type, generated, valid))


def _split_traits(bare: CheckedEvent, traits: Sequence[Trait]) -> tuple[list[Trait], list[tuple[Trait, str]]]:
    """Return the traits that can be stored, and those that cannot, with the reasons."""
    valid, invalid = [], []
    for trait in traits:
        try:
            checked_event(Event(bare.message_id, bare.event_type, bare.generated, [trait]))
            valid.append(trait)
        except InvalidEvent as error:
            invalid.append((trait, str(error)))
    return valid, invalid


def _table_of(trait: Trait) -> str:
    return next(name for name, type_ in TRAIT_TABLES.items() if type_ is trait.dtype)


def reject_event(row: dict[str, Any], traits: Sequence[Trait], reason: str) -> Rejected:
    """Return the rejection of a whole event.

    :param row: the event as :class:`Rejected` has it
    """
    members = [[trait.name, int(trait.dtype), trait.value] for trait in traits]
    return Rejected("event", reason, {**row, "traits": members}, row["id"])


def _decode_raw(row: dict[str, Any], rejected: list[Rejected]) -> Any:
    """Return the notification of an event; {} if it is not valid JSON, which is added to ``rejected``."""
    try:
        return json.loads(row["raw"], parse_constant=_refuse_constant)
    except (ValueError, TypeError, RecursionError) as error:
        rejected.append(_reject_raw(row, error))
        return {}


def _reject_raw(row: dict[str, Any], error: Exception) -> Rejected:
    reason = f"its raw notification is not valid JSON, so the event was stored without it: {excerpt(error)}"
    return Rejected("event", reason, {"id": row["id"], "message_id": row["message_id"], "raw": row["raw"]})


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
