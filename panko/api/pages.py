# SPDX-License-Identifier: Apache-2.0
"""Pages of events, each of which knows the link to the next one."""

import abc
import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar
from urllib.parse import urlencode

import webob
from wsme.exc import ClientSideError

from panko.api.cursors import AFTER, PlaceCipher
from panko.api.filters import FILTER
from panko.api.response import LinkedResult, close_iterable
from panko.storage import deadlines
from panko.storage.base import Connection
from panko.storage.errors import SEARCH_TIMEOUTS, NotSupported, QueryTimeout, StorageTimeout
from panko.storage.filters import EventFilter, Page, Place
from panko.storage.serialization import find_place

MAX_LINKED_EVENTS = 100_000
"""A streamed page with a larger limit has no link: to find out where it ends would take too long."""

MAX_LINK_CHARACTERS = 3500
"""A proxy refuses a response whose headers are larger than its buffer: by default, nginx from 4 KiB on."""

MAX_PLACE_CHARACTERS = 250
"""Room for the place in a link whose other parts are checked before there is a place."""

MAX_END_SECONDS = 10
"""How long the first byte of a streamed page may wait until the end of the page is found."""

MAX_LOOKAHEAD_SECONDS = 0.5
"""How long a full page waits to find out whether another event follows. A rare filter could search all events."""

T = TypeVar("T")


class Links:
    """The links to next pages that a request gets, and the places in them.

    :param request: has a :class:`~panko.api.hooks.Context`
    :param marker: name of the other argument that says where a page begins
    :param texts: the texts in the filter language to continue with; empty: those of the request
    :raises ClientSideError: if the texts are too long for a link
    """

    def __init__(self, request: webob.Request, marker: str, texts: Sequence[str] = ()):
        self._request = request
        self._replaced = (AFTER, marker)
        self._texts = texts
        if texts and len(self._make_url("")) > MAX_LINK_CHARACTERS - MAX_PLACE_CHARACTERS:
            raise ClientSideError(
                "The filter has relative times, and is too long for the link to the next page, which repeats it with "
                "absolute times. Write absolute times, and send the filter in the body."
            )

    def parse_after(self, after: str | None, marker: str | None) -> Place | None:
        """Return the place after which the page begins; None if the request gives none.

        :param after: the argument of that name, as it was in the link of an earlier page
        :param marker: the other argument that says where the page begins
        :raises NotSupported: if the storage driver supports no such places
        :raises ClientSideError: if there is a marker, too, or the place was not in a link for the same caller. A link
            overrides a marker in the body.
        """
        if not after:
            return None
        is_linked = [name in self._request.GET for name in self._replaced] == [True, False]
        if marker and not is_linked:
            raise ClientSideError(f"Give either {' or '.join(self._replaced)}, not both.")
        return self._cipher.decrypt(after)

    def are_supported(self) -> bool:
        """Return whether the storage driver supports places."""
        try:
            return self._cipher is not None
        except NotSupported:
            return False

    def next_url(self, place: Place) -> str | None:
        """Return the URL of the page that begins after a place; None if it would be too long."""
        url = self._make_url(self._cipher.encrypt(place))
        return url if len(url) <= MAX_LINK_CHARACTERS else None

    def _make_url(self, after: str) -> str:
        kept = [(name, value) for name, value in self._request.GET.items() if name not in self._replaced]
        if self._texts:
            others = (each for each in kept if each[0].partition("[")[0] != FILTER)
            kept = [*others, *((FILTER, text) for text in self._texts)]
        return f"{self._request.path_url}?{urlencode([*kept, (AFTER, after)])}"

    @functools.cached_property
    def _cipher(self) -> PlaceCipher:
        context = self._request.panko
        return PlaceCipher(context.secret.read(), context.authorization.identity)


class EventPage(LinkedResult, Generic[T]):
    """A page of events in some form ``T``, which are read from the storage while the response is sent.

    One event more than the page has shows whether there are more.

    :param storage: where the events are
    :param event_filter: the conditions of the events
    :param links: the links of the request
    :ivar has_more: whether events follow the page; None: not known yet
    """

    def __init__(self, storage: Connection, event_filter: EventFilter, page: Page, links: Links):
        self._storage = storage
        self._filter = event_filter
        self._page = page
        self._links = links
        self.has_more: bool | None = False if page.limit is None else None
        self._events = self._open(page.with_next())
        self._count = 0
        self._last: T | None = None
        self._end: Place | None = None
        self._rest: Iterator[T] | None = None

    @abc.abstractmethod
    def _open(self, page: Page) -> Iterator[T]:
        """Yield the events of a page of the storage."""

    @abc.abstractmethod
    def _locate(self, event: T) -> Place:
        """Return the place of an event."""

    def read(self) -> Iterator[T]:
        """Yield the events. Afterwards, ``has_more`` is known."""
        for count, event in enumerate(itertools.islice(self._events, self._page.limit), 1):
            self._count, self._last = count, event
            yield event
            if self._rest is not None:
                yield from self._rest
                return
        if self.has_more is None:
            self.has_more = self._count == self._page.limit and self._is_followed()

    def _is_followed(self) -> bool:
        """Return whether an event follows a full page; True, too, if it takes too long to find out."""
        try:
            with deadlines.within(MAX_LOOKAHEAD_SECONDS):
                return next(self._events, None) is not None
        except SEARCH_TIMEOUTS:
            return True

    def find_next(self) -> str | None:
        """Return the URL of the next page; None if there is none.

        If not all events have been read yet, find the end of the page now, and let it end there. So no event is skipped
        or repeated between the pages, whatever is stored or deleted while they are sent.
        """
        if self.has_more is False or self._last is None or not self._links.are_supported():
            return None
        if self.has_more is None and not self._fix_end(self._locate(self._last)):
            return None
        return self._links.next_url(self._end or self._locate(self._last)) if self.has_more else None

    def _fix_end(self, after: Place) -> bool:
        """Let the page end where it ends now, and return whether its end was found.

        :param after: the place of the last event that was read
        :raises StorageError: if it was not found in a page that a link led to: without a link, it would seem the last
        """
        limit = self._page.limit or 0
        if limit > MAX_LINKED_EVENTS:
            return False
        rest = dataclasses.replace(self._page, limit=limit - self._count, marker=None, after=after)
        try:
            with deadlines.within(MAX_END_SECONDS if self._page.after is None else math.inf):
                last, self.has_more = self._storage.find_end(self._filter, rest)
        except (QueryTimeout, StorageTimeout):
            if self._page.after is not None:
                raise
            return False
        self.close()
        self._rest = self._open(dataclasses.replace(rest, limit=None, until=last)) if last else iter(())
        self._end = last or after
        return True

    def close(self) -> None:
        """Close the connection to the database."""
        close_iterable(self._events)
        close_iterable(self._rest)


class DocumentPage(EventPage[bytes]):
    """A page of events as the JSON documents that the API returns.

    :param columns: see :class:`~panko.api.response.LinkedResult`
    """

    def __init__(
        self,
        storage: Connection,
        event_filter: EventFilter,
        page: Page,
        links: Links,
        columns: Sequence[str] | None = None,
    ):
        super().__init__(storage, event_filter, page, links)
        self.columns = columns

    def _open(self, page: Page) -> Iterator[bytes]:
        return self._storage.get_documents(self._filter, page)

    def _locate(self, event: bytes) -> Place:
        return find_place(event)

    def __iter__(self) -> Iterator[bytes]:
        return self.read()
