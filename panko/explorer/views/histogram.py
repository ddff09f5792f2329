# SPDX-License-Identifier: Apache-2.0
"""Counts of events over time, as bars whose parts are the event types with the most events."""

import collections
import dataclasses
import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from panko.explorer.search import Search
from panko.explorer.views.time_axis import Tick, choose_interval, index_of, make_times, name_interval, time_of
from panko.filter_language import write_comparison
from panko.storage.aggregates import BY_EVENT_TYPE, CountQuery, EventCount
from panko.storage.base import Connection
from panko.storage.filters import NEWEST_FIRST, OLDEST_FIRST, EventFilter, Page
from panko.storage.models import MICROSECOND, format_time

MAX_RECOUNTS = 2
"""How often events are counted again with shorter bars, if they have less of the time than was expected."""

MAX_TYPES = 6
"""Event types that are shown apart; the others are one part."""

HEIGHT, TOP = 120, 14
"""Height of the bars' area, and of the space above it, in pixels. Widths are percentages."""

BAR_SHARE = 0.86
"""Share of its width that a bar covers; the rest is the gap to the next."""

OTHER = "other"
"""What all other event types are called."""


Bounds = tuple[datetime.datetime, datetime.datetime]
Limits = tuple[datetime.datetime | None, datetime.datetime | None]
"""First and last time, in naive UTC."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The events of one type in a bar.

    :param style: CSS class of its colour
    :param y: its upper edge in pixels
    """

    style: str
    label: str
    events: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """The events of a period.

    :param start: its time, as ISO 8601 in UTC without a zone
    :param label: the same, as short as possible
    :param x: its left edge, in percent
    :param url: the page of these events
    """

    start: str
    label: str
    events: int
    x: float
    width: float
    segments: tuple[Segment, ...]
    url: str


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A colour and the event type that has it.

    :param url: the page of the events of that type; None: it stands for several
    """

    style: str
    label: str
    events: int
    url: str | None


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of events over time.

    :param start: the beginning of the first bar, as ISO 8601 in UTC without a zone
    :param end: the end of the last bar
    :param interval: length of a bar, in words
    :param events: number of events in all bars
    :param later: number of events that are newer than the last bar
    :param later_url: the page of those
    :param base_url: the page with all that the URL says except the time
    """

    start: str
    end: str
    interval: str
    events: int
    bars: tuple[Bar, ...]
    times: tuple[Tick, ...]
    counts: tuple[Tick, ...]
    legend: tuple[LegendEntry, ...]
    later: int
    later_url: str
    base_url: str


def read_histogram(
    storage: Connection, event_filter: EventFilter, search: Search, now: datetime.datetime
) -> Histogram | None:
    """Count the events of a page; None if there are none.

    :param now: naive UTC
    :raises ScanTimeout: if the search takes too long
    :raises StorageError: if they cannot be counted
    """
    bounds = find_bounds(storage, event_filter, now)
    if bounds is None:
        return None
    interval = choose_interval(*bounds)
    counts = _count(storage, event_filter, interval)
    later = sum(each.events for each in counts if each.start and each.start > bounds[1])
    if event_filter.start_timestamp is None:
        # Only now it is known when the first matching event was: show that time, and not the one since the first event.
        for _ in range(MAX_RECOUNTS):
            found = _find_counted(counts, interval, bounds)
            if found is None or (closer := choose_interval(*found)) >= interval:
                break
            interval, bounds = closer, found
            end = min(bounds[1], event_filter.end_timestamp or bounds[1])
            narrowed = dataclasses.replace(event_filter, start_timestamp=bounds[0], end_timestamp=end)
            counts = _count(storage, narrowed, interval)
        bounds = _find_counted(counts, interval, bounds) or bounds
    given = (event_filter.start_timestamp, event_filter.end_timestamp)
    return draw(counts, bounds, interval, search, given, later) if counts else None


def find_bounds(storage: Connection, event_filter: EventFilter, now: datetime.datetime) -> Bounds | None:
    """Return the time of the bars; None if it has no events.

    It ends now, not at events that claim to be of the future, unless all are.
    """
    start, end = event_filter.start_timestamp, event_filter.end_timestamp
    visible = EventFilter(start_timestamp=start, end_timestamp=end, scope=event_filter.scope)
    if start is None:
        start = find_edge(storage, visible, OLDEST_FIRST)
    if start is None:
        return None
    if end is None:
        end = now if start <= now else find_edge(storage, visible, NEWEST_FIRST)
    return None if end is None or end < start else (start, end)


def find_edge(
    storage: Connection, event_filter: EventFilter, sort: tuple[tuple[str, str], ...]
) -> datetime.datetime | None:
    """Return the time of the first matching event in an order; None if there is none."""
    last = storage.find_end(event_filter, Page(1, sort=sort)).last
    return last.generated if last else None


def _count(storage: Connection, event_filter: EventFilter, interval: int) -> list[EventCount]:
    query = CountQuery(datetime.timedelta(seconds=interval), BY_EVENT_TYPE, MAX_TYPES)
    return list(storage.count_events(event_filter, query))


def _find_counted(counts: Sequence[EventCount], interval: int, bounds: Bounds) -> Bounds | None:
    """Return the time from the first to the last bar with events; no bar begins outside of the bounds."""
    starts = [each.start for each in counts if each.start is not None and each.start <= bounds[1]]
    if not starts:
        return None
    end = time_of(index_of(max(starts), interval) + 1, interval) - MICROSECOND
    return max(min(starts), bounds[0]), end


def draw(
    counts: Iterable[EventCount],
    bounds: Bounds,
    interval: int,
    search: Search,
    given: Limits = (None, None),
    later: int = 0,
) -> Histogram:
    """Return the bars for counts.

    :param bounds: first and last time; later counts have no bar
    :param interval: length of a bar, in seconds
    :param given: first and last time of the events that were counted; None: no limit
    :param later: number of events that are newer than the last bar
    """
    first, last = (index_of(each, interval) for each in bounds)
    by_bar = _sum_by_bar(counts, first, last, interval)
    totals: collections.Counter[str | None] = collections.Counter()
    for found in by_bar.values():
        totals.update(found)
    # All others are last, wherever they are in the first bar.
    groups = sorted(totals, key=lambda group: (group is None, -totals[group], group or ""))
    scale = _round_up(max((sum(each.values()) for each in by_bar.values()), default=0))
    styles = {group: "type-other" if group is None else f"type-{rank}" for rank, group in enumerate(groups, 1)}
    width = 100 / (last - first + 1)
    begin, end = time_of(first, interval), time_of(last + 1, interval)
    return Histogram(
        start=format_time(begin),
        end=format_time(end),
        interval=name_interval(interval),
        events=sum(totals.values()),
        bars=tuple(
            _make_bar(index - first, width, found, scale, styles, _find_period(index, interval, given), search)
            for index, found in sorted(by_bar.items())
        ),
        times=tuple(make_times(begin, end)),
        counts=tuple(Tick(_y(each, scale), f"{each:,}") for each in (scale, scale // 2) if each),
        legend=tuple(
            LegendEntry(styles[group], OTHER if group is None else group, totals[group], _type_url(group, search))
            for group in groups
        ),
        later=later,
        later_url=search.url(start=f"{format_time(end)}Z", end=""),
        base_url=search.url(range="", start="", end=""),
    )


def _sum_by_bar(counts: Iterable[EventCount], first: int, last: int, interval: int) -> dict[int, dict[str | None, int]]:
    """Return the counts of each bar by their groups."""
    by_bar: dict[int, dict[str | None, int]] = {}
    for start, group, _, events in counts:
        # A bar that would begin before the year 1 begins with that year.
        index = first if start is None else max(first, index_of(start, interval))
        if index <= last:
            by_bar.setdefault(index, {})[group] = events
    return by_bar


def _find_period(index: int, interval: int, given: Limits) -> Bounds:
    """Return the first and the last time of the events of a bar, which may begin before those that were counted."""
    start, end = time_of(index, interval), time_of(index + 1, interval)
    if end != datetime.datetime.max:
        end -= MICROSECOND
    return max(start, given[0] or start), min(end, given[1] or end)


def _make_bar(
    number: int,
    width: float,
    found: Mapping[str | None, int],
    scale: int,
    styles: Mapping[str | None, str],
    period: Bounds,
    search: Search,
) -> Bar:
    start, end = (format_time(each) for each in period)
    segments, below = [], 0
    for group, style in styles.items():
        if events := found.get(group, 0):
            top = _y(below + events, scale)
            label = OTHER if group is None else group
            segments.append(Segment(style, label, events, top, round(_y(below, scale) - top, 2)))
            below += events
    x, share = number * width, width * BAR_SHARE
    url = search.url(start=f"{start}Z", end=f"{end}Z")
    return Bar(start, f"{period[0]:%Y-%m-%d %H:%M}", below, round(x, 4), round(share, 4), tuple(segments), url)


def _y(events: int, scale: int) -> float:
    """Return the place of a number of events, in pixels from above."""
    return round(TOP + HEIGHT * (1 - events / scale), 2) if scale else TOP + HEIGHT


def _round_up(events: int) -> int:
    """Return a round number that is not smaller, and has a round half if it is larger than 1."""
    if events < 2:
        return events
    unit = 10 ** int(math.log10(events))
    steps = (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10)
    return next(
        (rounded for step in steps if (rounded := math.ceil(step * unit)) >= events and rounded % 2 == 0),
        10 * unit,
    )


def _type_url(group: str | None, search: Search) -> str | None:
    if group is None:
        return None
    text = write_comparison("event_type", group, is_trait=False)
    return search.url() if text in search.filter else search.add(text)
