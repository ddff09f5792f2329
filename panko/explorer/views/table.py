# SPDX-License-Identifier: Apache-2.0
"""The table of events: one line an event, the newest first, and the links to older and newer ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panko.api.cursors import PlaceCipher
from panko.api.response import close_iterable
from panko.explorer.search import Search
from panko.storage.base import Connection
from panko.storage.filters import EventFilter, Page
from panko.storage.serialization import find_place, parse_without_raw

PAGE_EVENTS = 100

NEWEST_FIRST, OLDEST_FIRST = (("generated", "desc"),), (("generated", "asc"),)

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
    :param newer: URL of the previous page; None: there are no newer events, as far as is known
    """

    columns: tuple[str, ...]
    rows: Sequence[Row]
    older: str | None = None
    newer: str | None = None


def read_table(storage: Connection, event_filter: EventFilter, search: Search, cipher: PlaceCipher) -> Table:
    """Read a page of events.

    :param cipher: for the places in links
    :raises ClientSideError: if the place is not one of the same caller's links
    :raises StorageError: if the events cannot be read
    """
    is_backwards = bool(search.before)
    begin = search.before or search.after
    page = Page(
        PAGE_EVENTS,
        sort=OLDEST_FIRST if is_backwards else NEWEST_FIRST,
        after=cipher.decrypt(begin) if begin else None,
    )
    documents = _read_all(storage.get_documents(event_filter, page.with_next()))
    has_more = len(documents) > PAGE_EVENTS
    documents = documents[:PAGE_EVENTS]
    if is_backwards:
        documents.reverse()
    older = newer = None
    if documents and (has_more or is_backwards):
        older = search.url(after=cipher.encrypt(find_place(documents[-1])), before="")
    if documents and (has_more if is_backwards else begin):
        newer = search.url(before=cipher.encrypt(find_place(documents[0])), after="")
    return Table(search.column, [make_row(each, search) for each in documents], older, newer)


def _read_all(documents: Iterable[bytes]) -> list[bytes]:
    try:
        return list(documents)
    finally:
        close_iterable(documents)


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
        tuple([values.get(name, "") for name in search.column]),
        is_failure(event["event_type"], values),
        event["message_id"] == search.highlight,
    )


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
