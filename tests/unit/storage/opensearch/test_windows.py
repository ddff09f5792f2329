# SPDX-License-Identifier: Apache-2.0
"""Windows of time: few of them cross a long time without events."""

import bisect
import datetime

import pytest

from panko.storage.models import to_microseconds
from panko.storage.opensearch.windows import FIRST_LENGTH, SECOND, Windows

WANTED, LIMIT = 100, 400
NOW = to_microseconds(datetime.datetime(2026, 1, 2))


def read(times, windows):
    """Read the first page as a search does; return its times, and how many requests it took.

    A request that has too many matches returns the newest ones, as the indices are sorted by time.
    """
    found, requests = [], 0
    while not windows.is_over and len(found) < WANTED:
        requests += 1
        low, high = windows.bounds
        first = 0 if low is None else bisect.bisect_left(times, low)
        matches = times[first : None if high is None else bisect.bisect_right(times, high)]
        if len(matches) > LIMIT:
            windows.move_to(times[0] if windows.start is None else windows.start)
            windows.shrink(matches[-LIMIT:][:WANTED], WANTED)
        else:
            found += matches
            windows.pass_on(len(matches), WANTED)
    return found[:WANTED], requests


@pytest.mark.parametrize("length", [None, FIRST_LENGTH, 1], ids=["unknown", "first", "short"])
@pytest.mark.parametrize("early", ["0001-01-01", "1970-01-01", "2025-06-01"])
def test_few_windows_lead_from_an_early_event_to_the_others(early, length):
    times = [to_microseconds(datetime.datetime.fromisoformat(early)), *range(NOW, NOW + 10**5 * SECOND, SECOND)]
    found, requests = read(times, Windows(times[0], None, False, length))
    assert found == times[:WANTED]
    assert requests < 60
