# SPDX-License-Identifier: Apache-2.0
"""Readers of the feed, and what they are sent: a JSON document, or server-sent events."""

import abc
import dataclasses
import time
from collections.abc import Sequence
from typing import Protocol

import orjson
import webob

from panko.api.cursors import Cipher
from panko.api.errors import CursorGone, make_fault
from panko.api.response import JSON, respond, respond_with_fault
from panko.storage import deadlines
from panko.storage.base import Connection
from panko.storage.feed import FeedPage, FeedRequest, Start

EVENT_STREAM = "text/event-stream"
FEED_TYPES = (JSON, EVENT_STREAM)
"""The content types of the feed."""

FEED_PATHS = ("/event_feed", "/explorer/tail")
"""Ends of the paths of requests that follow the feed."""

BEGIN = "begin"
"""The cursor of a reader who begins with the oldest event that is kept."""

SEAT = "panko.seat"
"""Environ key: a :class:`Seat`, if the server can let the request wait without a thread."""

MAX_PAGE_BYTES = 960 * 1024
"""Size of the events that a reader gets at a time; a single event may be larger. Responses of this size are sent whole,
and slow readers hold no more."""

STREAM_PAGE_EVENTS = 500
"""Number of events that are read at a time for server-sent events."""

MAX_STREAM_SECONDS = 300
"""How long server-sent events are sent, so that nobody reads on with a token that was revoked. Clients then connect
again by themselves."""

RECONNECT_SECONDS = 1
"""How long clients wait before they ask again, after server-sent events have ended or if they had to wait elsewhere."""

STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform",  # Proxies must not compress them, and so hold them back.
    "X-Accel-Buffering": "no",  # The same for nginx.
}


class Feed:
    """The feed of an application's storage.

    :param storage: the application's storage driver
    :param timeout: seconds that a read may take
    """

    def __init__(self, storage: Connection, timeout: float):
        self._storage = storage
        self._timeout = timeout

    def read(self, requests: Sequence[FeedRequest]) -> list[FeedPage]:
        """Return a page for each request; see :meth:`panko.storage.base.Connection.read_feed`."""
        with deadlines.within(self._timeout):
            return self._storage.read_feed(requests)


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A part of a stream of server-sent events.

    :param cursor: the driver's cursor, to continue with after it has been sent
    """

    data: bytes
    cursor: bytes


class Reader(abc.ABC):
    """A request that follows the feed.

    What it gets is rendered in any thread, and changes nothing: only after it has been sent, :meth:`move` is called.

    :param feed: where to read
    :param request: what to read next
    :param cipher: encrypts its cursors
    :param seconds: how long it may wait, or its stream may take
    """

    def __init__(self, feed: Feed, request: FeedRequest, cipher: Cipher, seconds: float):
        self.feed = feed
        self.request = request
        self.cursor = b""
        self.more = False
        self.ends = time.monotonic() + seconds
        self._cipher = cipher

    def read(self) -> FeedPage:
        """Return the first page, before the reader waits."""
        return self.feed.read([self.request])[0]

    def move(self, cursor: bytes, more: bool = False) -> None:
        """Continue after a cursor of the driver.

        :param more: whether events are known to follow it, of which this reader may get none
        """
        self.cursor = cursor
        self.more = more
        self.request = dataclasses.replace(self.request, start=cursor)

    @abc.abstractmethod
    def render(self, page: FeedPage) -> webob.Response | Piece:
        """Return what the reader gets of a page that has events, or whose cursor is gone."""

    def _encrypt(self, cursor: bytes) -> bytes:
        return self._cipher.encrypt(cursor).encode()


class LongPoll(Reader):
    """A reader who gets one response, a JSON document.

    :param request: the HTTP request
    """

    def __init__(self, feed: Feed, feed_request: FeedRequest, cipher: Cipher, seconds: float, request: webob.Request):
        super().__init__(feed, feed_request, cipher, seconds)
        self._request = request

    def read(self) -> FeedPage:
        """Return the first page, before the reader waits.

        :raises CursorGone: if the cursor of the request is gone
        """
        page = super().read()
        if page.is_gone:
            raise self._gone(page)
        return page

    def render(self, page: FeedPage) -> webob.Response:
        """Return the response for a page."""
        if page.is_gone:
            return self.render_error(self._gone(page))
        page = truncate(page)
        members = (
            b'{"events":[' + b",".join(event.document for event in page.events),
            b'],"cursor":"' + self._encrypt(page.cursor),
            b'","more":' + orjson.dumps(page.more) + b"}",
        )
        return respond(b"".join(members), None, JSON, self._request)

    def render_nothing(self) -> webob.Response:
        """Return the response of a reader that has waited in vain."""
        return self.render(FeedPage((), self.cursor, self.more))

    def render_error(self, error: Exception) -> webob.Response:
        """Return the response for an error, which the poller logs once for all readers."""
        return respond_with_fault(make_fault(error), self._request)

    def _gone(self, page: FeedPage) -> CursorGone:
        return CursorGone(self._cipher.encrypt(page.cursor))


class EventStream(Reader):
    """A reader who gets server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html.

    If its cursor is gone, it gets an event that says so, and then the oldest events: browsers would give up forever if
    the status were not 200.
    """

    def begin(self, page: FeedPage) -> webob.Response:
        """Return a response with the first events; its headers are sent before there are any."""
        head = f"retry: {RECONNECT_SECONDS * 1000}\n: events follow\n"
        piece = self.render(page) if page.events or page.is_gone else Piece(self._comment(page.cursor), page.cursor)
        self.move(piece.cursor)
        response = webob.Response(content_type=EVENT_STREAM, charset=None, app_iter=[head.encode() + piece.data])
        response.headers.update(STREAM_HEADERS)
        response.vary = ("Accept",)
        return response

    def render(self, page: FeedPage) -> Piece:
        """Return the events of a page."""
        if page.is_gone:
            oldest = self._encrypt(page.cursor)
            return Piece(b'id: %b\nevent: gone\ndata: {"oldest":"%b"}\n\n' % (oldest, oldest), page.cursor)
        page = truncate(page)
        ids = (b"id: " + self._encrypt(event.cursor) + b"\n" for event in page.events)
        rendered = (id_ + self.render_event(event.document) for id_, event in zip(ids, page.events, strict=True))
        return Piece(b"".join(rendered), page.cursor)

    def render_event(self, document: bytes) -> bytes:
        """Return the lines of an event besides its cursor, and the empty line at its end.

        :param document: the event as the JSON object that the API returns
        """
        return b"event: event\ndata: " + document + b"\n\n"

    def render_nothing(self) -> bytes:
        """Return a comment that keeps the connection open, with the cursor: past events that the reader does not get.

        Clients that connect again later continue from there.
        """
        return self._comment(self.cursor)

    def _comment(self, cursor: bytes) -> bytes:
        return b": no events\nid: " + self._encrypt(cursor) + b"\n\n"


def truncate(page: FeedPage) -> FeedPage:
    """Return a page without the events beyond :data:`MAX_PAGE_BYTES`; the first one always stays."""
    size = 0
    for count, event in enumerate(page.events):
        size += len(event.document)
        if size > MAX_PAGE_BYTES and count:
            return FeedPage(page.events[:count], page.events[count - 1].cursor, more=True)
    return page


class Seat(Protocol):
    """What a server offers to a request: to let it wait without a thread.

    :ivar reader: the reader that waits, after the seat was taken
    """

    reader: Reader | None

    def take(self, reader: Reader) -> bool:
        """Let a reader wait after the application has returned a response with status 200.

        The server sends the headers of that response, and instead of the body of a :class:`LongPoll`, that of what it
        renders. An :class:`EventStream` goes on after the body.

        :returns: whether there is a free seat
        """


def parse_start(text: str | None, cipher: Cipher) -> bytes | Start:
    """Parse the place where a reader begins.

    :param text: a cursor or :data:`BEGIN`; empty: after all events
    :raises InvalidInput: if it is not a cursor of the same reader
    """
    if not text:
        return Start.NOW
    return Start.OLDEST if text == BEGIN else cipher.decrypt(text)


def limit_stream(limit: int | None) -> int:
    """Return how many events are read at a time for server-sent events, given the limit of any response."""
    return min(STREAM_PAGE_EVENTS, limit or STREAM_PAGE_EVENTS)


def start_stream(reader: EventStream, request: webob.Request) -> webob.Response:
    """Return the events that there are, as a stream that goes on if the server has a free seat."""
    response = reader.begin(reader.read())
    take_seat(reader, request)
    return response


def take_seat(reader: Reader, request: webob.Request) -> bool:
    """Return whether the server lets a reader wait, after its response has been returned."""
    seat: Seat | None = request.environ.get(SEAT)
    return seat is not None and seat.take(reader)
