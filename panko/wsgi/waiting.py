# SPDX-License-Identifier: Apache-2.0
"""Requests that wait for events on the event loop: one poller reads the feed for all of them, in one thread."""

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import webob
from oslo_log import log

from panko.api.errors import RETRY_AFTER_SECONDS, describe
from panko.api.feed import EventStream, Feed, LongPoll, Reader
from panko.storage.errors import StorageError
from panko.storage.feed import FeedPage, FeedRequest

POLL_FEED_SECONDS = 0.05
"""Least time from the beginning of a read to that of the next one. If a read takes longer, the pause does, too."""

MAX_READ_CURSORS = 16
"""Maximum number of different cursors in a read. Readers that are up to date have the same one; each of the others
takes as long as all of these, and waits for its turn."""

HEARTBEAT_SECONDS = 15
"""How often a stream without events gets a comment: proxies and clients close connections that are silent."""

CLOSE_SECONDS = 1
"""How long a client may take to read the end of its stream."""

LOG = log.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Write = Callable[[bytes], Awaitable[None]]
Run = Callable[..., Awaitable[Any]]
"""Calls a function in a thread of a pool, when it is its turn."""


class Visit:
    """A request in the waiting room.

    :param reader: what the application has left
    """

    def __init__(self, reader: Reader):
        self.reader = reader
        self.is_over = False
        """Whether the client has disconnected or the server stops."""
        self.limit: asyncio.Timeout | None = None
        """When its stream is aborted, if the client does not read it."""
        self._future: asyncio.Future[Any] | None = None

    async def wait(self, poller: "Poller", seconds: float) -> Any:
        """Return what the reader has rendered; None if there was nothing in this time, or the visit is over.

        :raises Exception: if the feed could not be read
        """
        if self.is_over:
            return None
        self._future = asyncio.get_running_loop().create_future()
        poller.add(self)
        try:
            async with asyncio.timeout(seconds):
                result = await self._future
        except TimeoutError:
            return None
        finally:
            poller.remove(self)
        if isinstance(result, Exception):
            raise result
        return result

    def deliver(self, result: Any) -> None:
        """Pass on what was rendered or raised, if the reader still waits; otherwise it is read again."""
        if self._future is not None and not self._future.done():
            self._future.set_result(result)

    def end(self) -> None:
        """End the visit."""
        self.is_over = True
        self.deliver(None)


class Poller:
    """Reads a feed while requests wait for it.

    :param feed: the feed of an application
    :param run: calls a function in the poller's thread
    """

    def __init__(self, feed: Feed, run: Run):
        self._feed = feed
        self._run = run
        self._visits: dict[Visit, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._next_read = 0.0
        self._failures = 0

    def add(self, visit: Visit) -> None:
        """Read for a visit, too, until it is removed."""
        self._visits[visit] = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._poll())

    def remove(self, visit: Visit) -> None:
        """Do not read for a visit any more."""
        self._visits.pop(visit, None)

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        while self._visits:
            await asyncio.sleep(self._next_read - loop.time())
            if visits := self._choose():
                try:
                    pages, pause = await self._run(self._read, loop, visits)
                except Exception as error:
                    pause = self._fail(visits, error)
                else:
                    self._failures = 0
                    for visit, page in pages.items():
                        visit.reader.move(page.cursor, page.more)
                self._next_read = loop.time() + pause
        self._task = None

    def _choose(self) -> list[Visit]:
        """Return the visits of the next read; put them behind the others."""
        cursors: set[Any] = set()
        chosen = []
        for visit in self._visits:
            cursor = visit.reader.request.start
            if cursor in cursors or len(cursors) < MAX_READ_CURSORS:
                cursors.add(cursor)
                chosen.append(visit)
        if len(chosen) < len(self._visits):
            for visit in chosen:
                self._visits[visit] = self._visits.pop(visit)
        return chosen

    def _read(self, loop: asyncio.AbstractEventLoop, visits: Sequence[Visit]) -> tuple[dict[Visit, FeedPage], float]:
        """Read the next page of each visit, and deliver what there is.

        Only what has been delivered moves a reader. So no event is lost if a visit ends, or a comment is sent, while
        the page is read.

        :returns: the pages of readers that have moved without events, and how long to pause
        """
        began = time.monotonic()
        pages = self._read_pages([visit.reader.request for visit in visits])
        moved = {}
        for visit, page in zip(visits, pages, strict=True):
            if isinstance(page, Exception):
                loop.call_soon_threadsafe(visit.deliver, page)
            elif page.events or page.is_gone:
                loop.call_soon_threadsafe(visit.deliver, _render(visit.reader, page))
            elif (page.cursor, page.more) != (visit.reader.request.start, visit.reader.more):
                moved[visit] = page
        seconds = time.monotonic() - began
        return moved, max(POLL_FEED_SECONDS - seconds, seconds)

    def _read_pages(self, requests: Sequence[FeedRequest]) -> Sequence[FeedPage | Exception]:
        """Return the page of each request. One that makes the read fail gets its error, and the others their pages.

        :raises Exception: if the storage cannot be read, or if no request can be answered
        """
        try:
            return self._feed.read(requests)
        except StorageError:
            raise
        except Exception:
            pages = [self._read_alone(request) for request in requests] if len(requests) > 1 else []
            if all(isinstance(page, Exception) for page in pages):
                raise
        errors = [page for page in pages if isinstance(page, Exception)]
        if errors:
            _log(errors[0], len(errors))
        return pages

    def _read_alone(self, request: FeedRequest) -> FeedPage | Exception:
        try:
            return self._feed.read([request])[0]
        except StorageError:
            raise
        except Exception as error:
            return error

    def _fail(self, visits: Sequence[Visit], error: Exception) -> float:
        """Log an error once, pass it to all readers, and return how long to pause."""
        _log(error, len(visits))
        for visit in visits:
            visit.deliver(error)
        self._failures += 1
        return min(2.0 ** (self._failures - 1), RETRY_AFTER_SECONDS)


def _render(reader: Reader, page: FeedPage) -> Any:
    try:
        return reader.render(page)
    except Exception as error:
        _log(error, 1)
        return error


def _log(error: Exception, readers: int) -> None:
    if isinstance(error, StorageError):
        LOG.error("%s requests that wait for events cannot be answered now: %s", readers, describe(error))
    else:
        LOG.error("%s requests that wait for events failed", readers, exc_info=error)


class Seat:
    """A seat that is offered to one request.

    :param room: which has a limited number of seats
    """

    def __init__(self, room: "Room"):
        self._room = room
        self.reader: Reader | None = None

    def take(self, reader: Reader) -> bool:
        """Let a reader wait; see :class:`panko.api.feed.Seat`. Called by the application, in its thread."""
        if self.reader is None and self._room.reserve():
            self.reader = reader
        return self.reader is reader

    def leave(self) -> None:
        """Free the seat if it was taken."""
        if self.reader is not None:
            self.reader = None
            self._room.release()


class Room:
    """The requests of a process that wait for events.

    :param seats: maximum number of requests that wait
    :param run: see :meth:`panko.wsgi.turns.Turns.run`
    """

    def __init__(self, seats: int, run: Run):
        self._free = threading.Semaphore(seats)
        self._is_closed = False
        self._visits: set[Visit] = set()
        self._pollers: dict[Feed, Poller] = {}
        # Among all other requests: a read is for all who wait, and must not come after each of them.
        self._run = functools.partial(run, concurrent.futures.ThreadPoolExecutor(1, "feed"), False)

    def reserve(self) -> bool:
        """Return whether a seat was free, which is not free any more."""
        return not self._is_closed and self._free.acquire(blocking=False)

    def release(self) -> None:
        """Make a seat free again."""
        self._free.release()

    def close(self) -> None:
        """Let all requests end at once."""
        self._is_closed = True
        for visit in self._visits:
            visit.end()
            if visit.limit is None:
                continue
            with contextlib.suppress(RuntimeError):  # It is just being aborted.
                visit.limit.reschedule(asyncio.get_running_loop().time() + CLOSE_SECONDS)

    async def answer(self, reader: LongPoll, receive: Receive) -> webob.Response:
        """Return the response of a long poll: events, nothing if the time is up, or an error."""
        async with self._visit(reader, receive) as visit:
            try:
                response = await visit.wait(self._poller(reader.feed), reader.ends - time.monotonic())
            except Exception as error:
                return reader.render_error(error)
        return reader.render_nothing() if response is None else response

    async def follow(self, reader: EventStream, first: bytes, receive: Receive, write: Write) -> bool:
        """Write server-sent events as they become readable, until the time is up or the feed cannot be read.

        While the client does not read, nothing more is read for it: it holds one piece.

        :param first: what the application has returned
        :param write: returns when the client has received nearly all that was written
        :returns: whether the stream may end properly; if not, the client did not read it in time
        """
        async with self._visit(reader, receive) as visit:
            try:
                async with asyncio.timeout_at(reader.ends + CLOSE_SECONDS) as visit.limit:
                    await write(first)
                    await self._follow(reader, visit, write)
            except TimeoutError:
                return False
        return True

    async def _follow(self, reader: EventStream, visit: Visit, write: Write) -> None:
        poller = self._poller(reader.feed)
        while not visit.is_over and (left := reader.ends - time.monotonic()) > 0:
            try:
                piece = await visit.wait(poller, min(left, HEARTBEAT_SECONDS))
            except Exception:  # The poller has logged it.
                return
            if piece is None:
                await write(reader.render_nothing())
                continue
            await write(piece.data)
            reader.move(piece.cursor)

    def _poller(self, feed: Feed) -> Poller:
        return self._pollers.setdefault(feed, Poller(feed, self._run))

    @contextlib.asynccontextmanager
    async def _visit(self, reader: Reader, receive: Receive) -> AsyncIterator[Visit]:
        """Let a reader in, and watch whether its client disconnects."""
        visit = Visit(reader)
        self._visits.add(visit)
        watch = asyncio.get_running_loop().create_task(_watch(visit, receive))
        if self._is_closed:
            visit.end()
        try:
            yield visit
        finally:
            watch.cancel()
            self._visits.remove(visit)


async def _watch(visit: Visit, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    visit.end()
