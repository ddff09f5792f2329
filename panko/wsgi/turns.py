# SPDX-License-Identifier: Apache-2.0
"""Calls in threads, of which one at a time computes."""

import asyncio
import collections
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

TURN_SECONDS = 0.05
"""How long a call has the interpreter to itself, before the next waiting call starts in another thread.

Threads that compute at the same time do not get more done, as they share the interpreter's lock. And Python passes the
lock on so unfairly that some requests would wait hundreds of times longer than others.
"""

POLL_SECONDS = 0.005
"""How often a call is checked during its turn: if it uses little CPU time, it waits for the database; its turn ends."""

MIN_CPU_SHARE = 0.2
"""A call that used less than this share of CPU time since the last check is waiting, for example for the database.

Calls that compute use more, even on a busy machine.
"""


class Call:
    """A call that runs in a thread of the pool."""

    def __init__(self, function: Callable[..., Any], args: tuple):
        self._function = function
        self._args = args
        self._clock: int | None = None
        self._before = 0.0

    def run(self) -> Any:
        """Call the function."""
        self._before = time.thread_time()
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        return self._function(*self._args)

    def cpu_seconds(self) -> float:
        """Return the CPU time that the call has used; 0 before it has started."""
        return 0.0 if self._clock is None else time.clock_gettime(self._clock) - self._before


class Turns:
    """Lets one call compute at a time: readers of the feed and all others in turn, each first come first served.

    So hundreds of readers that all ask again when there is an event do not delay others.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._is_feed = False
        self._queues: dict[bool, collections.deque[asyncio.Future[None]]] = {
            False: collections.deque(),
            True: collections.deque(),
        }

    async def run(
        self, pool: concurrent.futures.Executor, is_feed: bool, function: Callable[..., Any], *args: Any
    ) -> Any:
        """Call a function in a pool; the next call starts when this one ends, waits, or has used up its turn.

        :param is_feed: whether the call is for a reader of the feed
        """
        call = Call(function, args)
        async with self._take(is_feed):
            future = asyncio.get_running_loop().run_in_executor(pool, call.run)
            end, computed = time.monotonic() + TURN_SECONDS, 0.0
            while not future.done() and time.monotonic() < end:
                await asyncio.wait({future}, timeout=POLL_SECONDS)
                before, computed = computed, call.cpu_seconds()
                if computed - before < MIN_CPU_SHARE * POLL_SECONDS:
                    break
        return await future

    @contextlib.asynccontextmanager
    async def _take(self, is_feed: bool) -> AsyncIterator[None]:
        """Wait for a turn, which takes as long as the context."""
        if self._is_taken:
            turn = asyncio.get_running_loop().create_future()
            self._queues[is_feed].append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self._pass_on()
                raise
        self._is_taken, self._is_feed = True, is_feed
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        for is_feed in (not self._is_feed, self._is_feed):
            while queue := self._queues[is_feed]:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._is_taken = False
