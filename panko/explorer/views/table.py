# SPDX-License-Identifier: Apache-2.0
"""The table of events: one line an event, the newest first, and the links to older and newer ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panko.api.cursors import PlaceCipher
from panko.api.filters import restrict
from panko.api.response import close_iterable
from panko.explorer.search import Search
from panko.storage.base import Connection
from panko.storage.conditions import Comparison, Subject
from panko.storage.filters import NEWEST_FIRST, OLDEST_FIRST, EventFilter, Page, Place
from panko.storage.models import TraitType
from panko.storage.serialization import find_place, parse_without_raw

PAGE_EVENTS = 100

MAX_CELL_CHARACTERS = 200
"""A longer value is truncated in the table."""


VALUE_SEPARATOR = "; "
"""Between the values of a trait that an event has several times."""

FAILURE_STATES = frozenset({"error", "failed", "failure"})
FAILURE_TRAITS = ("state", "status", "outcome")
"""What marks an event as a failure, besides a type that ends with one of these words."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event in one line.

    :param generated: its time, as ISO 8601 in UTC without a zone
    :param cells: what it has in the columns; empty: nothing
    :param is_failure: whether it reports that something failed
    :param is_marked: whether the page is about this event
    """

    message_id: str
    event_type: str
    generated: str
    cells: tuple[str, ...]
    is_failure: bool
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A page of events.

    :param columns: names of the traits that have a column
    :param older: URL of the next page; None: there are no older events
    :param newer: URL of the previous page; None: this is the first one
    :param newest: URL of the first page; None: this is it
    """

    columns: tuple[str, ...]
    rows: Sequence[Row]
    older: str | None = None
    newer: str | None = None
    newest: str | None = None


@dataclass(frozen=True, slots=True)
class _Excerpt:
    """Some of the events, the newest first.

    :param has_newer: whether others are newer
    :param has_older: whether others are older
    """

    documents: list[bytes]
    has_newer: bool
    has_older: bool


def read_table(storage: Connection, event_filter: EventFilter, search: Search, cipher: PlaceCipher) -> Table:
    """Read a page of events.

    If it is to mark an event that is not among the newest, it is the page around that event.

    :param cipher: for the places in links
    :raises ClientSideError: if the place is not one of the same caller's links
    :raises StorageError: if the events cannot be read
    """
    reader = _Reader(storage, event_filter)
    if search.before:
        excerpt = reader.read_before(cipher.decrypt(search.before))
    elif search.after:
        excerpt = reader.read_after(cipher.decrypt(search.after))
    else:
        excerpt = reader.read_newest()
        if search.highlight and excerpt.has_older:
            excerpt = reader.read_around(search.highlight, excerpt)
    older = newer = None
    documents = excerpt.documents
    if documents and excerpt.has_older:
        older = search.url(after=cipher.encrypt(find_place(documents[-1])), before="")
    if documents and excerpt.has_newer:
        newer = search.url(before=cipher.encrypt(find_place(documents[0])), after="")
    # The first page would be the one around the event again if it marked the event.
    newest = search.url(after="", before="", highlight="") if excerpt.has_newer else None
    return Table(search.column, [make_row(each, search) for each in documents], older, newer, newest)


class _Reader:
    """Reads excerpts of events in the order of their time, and of their message_id if that is equal."""

    def __init__(self, storage: Connection, event_filter: EventFilter):
        self._storage = storage
        self._filter = event_filter

    def read_newest(self) -> _Excerpt:
        """Return the newest events."""
        documents, has_older = self._read(NEWEST_FIRST, None, PAGE_EVENTS)
        return _Excerpt(documents, False, has_older)

    def read_after(self, place: Place) -> _Excerpt:
        """Return the events that are older than a place."""
        documents, has_older = self._read(NEWEST_FIRST, place, PAGE_EVENTS)
        return _Excerpt(documents, True, has_older)

    def read_before(self, place: Place) -> _Excerpt:
        """Return the events that are newer than a place; if they are too few for a page, the newest."""
        documents, has_newer = self._read(OLDEST_FIRST, place, PAGE_EVENTS)
        return _Excerpt(documents[::-1], True, True) if has_newer else self.read_newest()

    def read_around(self, message_id: str, newest: _Excerpt) -> _Excerpt:
        """Return an event in the middle of others; the newest if it is one of them, or not one of the events."""
        if any(parse_without_raw(each)["message_id"] == message_id for each in newest.documents):
            return newest
        is_it = Comparison(Subject.MESSAGE_ID, TraitType.TEXT, "eq", (message_id,))
        found = list(self._storage.get_documents(restrict(self._filter, is_it), Page(1)))
        if not found:
            return newest
        place = find_place(found[0])
        newer, has_newer = self._read(OLDEST_FIRST, place, PAGE_EVENTS // 2)
        older, has_older = self._read(NEWEST_FIRST, place, PAGE_EVENTS // 2)
        return _Excerpt([*newer[::-1], found[0], *older], has_newer, has_older)

    def _read(self, sort: tuple[tuple[str, str], ...], after: Place | None, limit: int) -> tuple[list[bytes], bool]:
        """Return events, and whether more follow."""
        found = self._storage.get_documents(self._filter, Page(limit, sort=sort, after=after).with_next())
        try:
            documents = list(found)
        finally:
            close_iterable(found)
        return documents[:limit], len(documents) > limit


def make_row(document: bytes, search: Search) -> Row:
    """Return an event's row.

    :param document: the event as the JSON object that the API returns
    :param search: has the columns and the event to mark
    """
    event = parse_without_raw(document)
    values = merge_traits(event["traits"])
    return Row(
        event["message_id"],
        event["event_type"],
        event["generated"],
        tuple([_shorten(values.get(name, "")) for name in search.column]),
        is_failure(event["event_type"], values),
        event["message_id"] == search.highlight,
    )


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_CELL_CHARACTERS else f"{text[:MAX_CELL_CHARACTERS]}…"


def merge_traits(traits: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the values of traits as texts, by their names."""
    values: dict[str, str] = {}
    for trait in traits:
        name, value = trait["name"], trait["value"]
        values[name] = f"{values[name]}{VALUE_SEPARATOR}{value}" if name in values else value
    return values


def is_failure(event_type: str, values: Mapping[str, str]) -> bool:
    """Return whether an event reports that something failed.

    :param values: its traits by their names
    """
    last_word = event_type.rpartition(".")[2].lower()
    return last_word in FAILURE_STATES or any(values.get(name, "").lower() in FAILURE_STATES for name in FAILURE_TRAITS)
