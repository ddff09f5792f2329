# SPDX-License-Identifier: Apache-2.0
"""The geometry of histograms: bars, their parts, axes and links."""

import datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from panko.explorer.search import RANGES, Search
from panko.explorer.views.histogram import HEIGHT, MAX_TYPES, TOP, draw
from panko.explorer.views.time_axis import INTERVALS, MAX_BARS, choose_interval, index_of, make_times, name_interval
from panko.storage.aggregates import MAX_INTERVAL, SECOND, CountQuery, EventCount
from panko.storage.models import MICROSECOND

NOON = datetime.datetime(2026, 1, 2, 12)
HOUR = datetime.timedelta(hours=1)
times = st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59))
groups = st.sampled_from(["a", "b", "c", "a.b.c", None])


def counts(*rows):
    return [EventCount(NOON + number * HOUR, group, group is None, events) for number, group, events in rows]


def query_of(url):
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


@pytest.mark.parametrize("length", [each for each in RANGES.values() if each], ids=str)
@pytest.mark.parametrize("shift", [0, 17, 3599])
def test_each_time_range_has_about_fifty_bars(length, shift):
    end = NOON + shift * SECOND
    interval = choose_interval(end - length, end)
    assert 40 <= index_of(end, interval) - index_of(end - length, interval) <= 62


@given(times, times)
def test_a_time_has_no_more_bars_than_fit(one, other):
    start, end = sorted((one, other))
    interval = choose_interval(start, end)
    bars = index_of(end, interval) - index_of(start, interval) + 1
    assert bars <= MAX_BARS or interval == MAX_INTERVAL // SECOND
    assert bars >= 20 or end - start < 60 * SECOND
    CountQuery(interval * SECOND)  # The contract allows it.
    assert name_interval(interval)


def test_intervals_grow():
    assert list(INTERVALS) == sorted(set(INTERVALS))


@given(st.dictionaries(st.tuples(st.integers(0, 23), groups), st.integers(1, 10**6), min_size=1))
def test_parts_of_a_bar_lie_on_each_other(drawn):
    rows = counts(*((number, group, events) for (number, group), events in sorted(drawn.items(), key=repr)))
    found = draw(rows, (NOON, NOON + 24 * HOUR - MICROSECOND), 3600, Search())
    sums = {}
    for (number, _), events in drawn.items():
        sums[number] = sums.get(number, 0) + events
    assert [bar.events for bar in found.bars] == [sums[number] for number in sorted(sums)]
    assert found.events == sum(drawn.values())
    order = [entry.style for entry in found.legend]
    scale = int(found.counts[0].label.replace(",", ""))
    for number, bar in zip(sorted(sums), found.bars, strict=True):
        assert bar.x == pytest.approx(100 * number / 24, abs=0.001)
        assert 0 < bar.width < 100 / 24
        bottom = TOP + HEIGHT
        for segment in bar.segments:
            assert segment.y + segment.height == pytest.approx(bottom, abs=0.02)
            assert segment.height == pytest.approx(HEIGHT * segment.events / scale, abs=0.02)
            bottom = segment.y
        assert bottom >= TOP - 0.01
        styles = [segment.style for segment in bar.segments]
        assert styles == sorted(styles, key=order.index)
    assert max(sums.values()) <= scale <= max(2, 2 * max(sums.values()))


def test_the_most_frequent_type_is_first_and_all_others_are_last():
    rows = counts((0, None, 50), (0, "rare", 1), (1, "often", 9))
    found = draw(rows, (NOON, NOON + 2 * HOUR), 3600, Search())
    assert [(entry.style, entry.label, entry.events) for entry in found.legend] == [
        ("type-1", "often", 9),
        ("type-2", "rare", 1),
        ("type-other", "other", 50),
    ]
    assert len(found.legend) <= MAX_TYPES + 1


def test_a_legend_entry_adds_its_type_as_a_filter():
    search = Search(search="x", filter=("a = 1",))
    first, other = draw(counts((0, 'say "*"', 1), (0, None, 1)), (NOON, NOON), 3600, search).legend
    assert parse_qs(urlsplit(first.url).query) == {"search": ["x"], "filter": ["a = 1", 'event_type = "say \\"\\*\\""']}
    assert other.url is None


def test_a_bar_leads_to_the_time_of_its_events():
    search = Search(filter=("a = 1",), after="place")
    (bar,) = draw(counts((0, "a", 1)), (NOON, NOON), 3600, search).bars
    assert query_of(bar.url) == {
        "filter": "a = 1",
        "start": "2026-01-02T12:00:00Z",
        "end": "2026-01-02T12:59:59.999999Z",
    }
    assert bar.label == "2026-01-02 12:00"
    given_times = (NOON + HOUR / 4, NOON + HOUR / 2)
    (bar,) = draw(counts((0, "a", 1)), given_times, 3600, search, given_times).bars
    assert query_of(bar.url) == {"filter": "a = 1", "start": "2026-01-02T12:15:00Z", "end": "2026-01-02T12:30:00Z"}


def test_events_after_the_last_bar_are_no_part_of_it():
    rows = counts((0, "a", 3), (400, "b", 7))
    found = draw(rows, (NOON, NOON + HOUR), 3600, Search(), later=7)
    assert [bar.events for bar in found.bars] == [3]
    assert (found.events, found.later) == (3, 7)
    assert query_of(found.later_url) == {"start": "2026-01-02T14:00:00Z"}
    assert [entry.label for entry in found.legend] == ["a"]


def test_bars_of_the_first_and_last_years_can_be_drawn():
    bounds = (datetime.datetime.min, datetime.datetime.max)
    interval = choose_interval(*bounds)
    rows = [EventCount(each, "a", False, 1) for each in (datetime.datetime.min, datetime.datetime(9998, 1, 1))]
    found = draw(rows, bounds, interval, Search())
    assert found.events == 2
    assert found.bars[0].start == "0001-01-01T00:00:00"
    assert (found.start, found.bars[0].x) == ("0001-01-01T00:00:00", 0)


@example(datetime.datetime(2000, 1, 1, 0, 0, 0, 1), 3)  # The last place is rounded up to the end.
@given(times, st.integers(1, 10**8))
def test_times_below_the_bars_are_few_and_in_order(start, seconds):
    end = start + min(seconds * SECOND, datetime.datetime.max - start)
    ticks = list(make_times(start, end))
    assert len(ticks) <= 7
    assert [tick.place for tick in ticks] == sorted(tick.place for tick in ticks)
    assert all(0 <= tick.place <= 100 for tick in ticks)


def test_times_below_the_bars_are_written_as_short_as_possible():
    def labels(start, length):
        return [tick.label for tick in make_times(start, start + length)]

    midnight = datetime.datetime(2026, 1, 3)
    assert labels(NOON, 24 * HOUR) == ["12:00", "16:00", "20:00", "2026-01-03", "04:00", "08:00"]
    assert labels(midnight, 60 * SECOND)[1] == "00:00:10"
    assert labels(midnight, 6 * 24 * HOUR)[:2] == ["2026-01-03", "2026-01-04"]
