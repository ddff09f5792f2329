# SPDX-License-Identifier: Apache-2.0
"""Calls get their turns: readers of the feed and others alternately, each in order."""

import asyncio
import concurrent.futures

import pytest

from panko.wsgi.turns import Turns


class Here(concurrent.futures.Executor):
    """Runs calls at once, in the thread of the loop."""

    def submit(self, function, /, *args):
        future = concurrent.futures.Future()
        future.set_result(function(*args))
        return future


def order_of(calls, cancelled=()):
    """Return the names of calls in the order of their turns; all are waiting when the first one ends.

    :param calls: names; those that begin with "feed" are of readers of the feed
    """
    done = []

    async def call_all():
        turns = Turns()
        async with turns._take(False):
            tasks = {}
            for name in calls:
                run = turns.run(Here(), name.startswith("feed"), done.append, name)
                tasks[name] = asyncio.get_running_loop().create_task(run)
                await asyncio.sleep(0)
            for name in cancelled:
                tasks[name].cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        await asyncio.wait_for(turns.run(Here(), False, done.append, "late"), 60)

    asyncio.run(call_all())
    assert done.pop() == "late"
    return done


def test_calls_of_one_kind_are_served_in_order():
    assert order_of("abcd") == [*"abcd"]
    assert order_of(["feed 1", "feed 2"]) == ["feed 1", "feed 2"]


def test_readers_of_the_feed_and_others_alternate():
    calls = [*(f"feed {number}" for number in range(5)), "a", "b"]
    assert order_of(calls) == ["feed 0", "a", "feed 1", "b", "feed 2", "feed 3", "feed 4"]


@pytest.mark.parametrize("cancelled", ["a", "b", "ab"])
def test_a_call_that_is_cancelled_leaves_its_turn_to_the_next(cancelled):
    assert order_of("abc", cancelled) == [name for name in "abc" if name not in cancelled]


def test_a_call_that_is_cancelled_when_it_gets_its_turn_passes_it_on():
    async def call_all():
        turns = Turns()
        async with turns._take(False):
            cancelled = asyncio.get_running_loop().create_task(turns.run(Here(), False, int))
            await asyncio.sleep(0)
        cancelled.cancel()
        assert await asyncio.wait_for(turns.run(Here(), False, int), 60) == 0

    asyncio.run(call_all())


def test_an_error_ends_the_turn():
    async def call_all():
        turns = Turns()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            with pytest.raises(ValueError, match="invalid literal"):
                await turns.run(pool, False, int, "x")
            assert await asyncio.wait_for(turns.run(pool, False, int), 60) == 0

    asyncio.run(call_all())
