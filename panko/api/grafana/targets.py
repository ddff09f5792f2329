# SPDX-License-Identifier: Apache-2.0
"""Targets: what a request asks for, and the periods that events are counted in."""

import datetime
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
from wsme.exc import ClientSideError

from panko.api.filters import Selection
from panko.api.grafana.filters import AdHoc, read_ad_hoc_filters, read_selection, split_key
from panko.api.grafana.metrics import (
    ANNOTATIONS,
    EVENT_COUNTS,
    METRICS,
    NEWEST,
    NO_GROUPS,
    SORT_DIRECTIONS_BY_ORDER,
    Metric,
)
from panko.api.grafana.regions import Region, read_region
from panko.api.grafana.request import BoundedRange, JsonObject, read_range
from panko.api.query import DEFAULT_GROUPS, parse_interval
from panko.storage.aggregates import MAX_COUNTS, MAX_GROUPS, MAX_INTERVAL, SECOND, CountQuery
from panko.storage.filters import Page
from panko.storage.models import EPOCH, TraitType, is_storable

MAX_TARGETS = 50
MAX_TABLE_ROWS = 10_000
MAX_INTEGER = 2**53  # JavaScript represents all integers up to this one exactly.
DEFAULT_ROWS = 100
DEFAULT_POINTS = 1000

AUTOMATIC_INTERVALS = ("", "auto", "none")

FIVE_MINUTES_SECONDS, HOUR_SECONDS, DAY_SECONDS = 300, 3600, 86400

_MILLISECONDS = re.compile(r"\d{1,15}ms", re.ASCII)


@dataclass(frozen=True, slots=True)
class EventsTarget:
    """A table of events, or annotations.

    :param ref_id: Grafana's name of the target
    :param traits: names of the traits to show; empty: all
    :param region: which annotations have an end; None: none
    """

    metric: Metric
    ref_id: str
    selection: Selection
    page: Page
    traits: tuple[str, ...]
    region: Region | None = None


@dataclass(frozen=True, slots=True)
class CountsTarget:
    """Time series of event counts, whose other parameters are those of :class:`CountQuery`."""

    metric: Metric
    ref_id: str
    selection: Selection
    times: BoundedRange
    interval: datetime.timedelta
    group_by: str | None
    max_groups: int

    @property
    def count_query(self) -> CountQuery:
        """The query that storage answers."""
        return CountQuery(self.interval, self.group_by, self.max_groups)


Target = EventsTarget | CountsTarget


@dataclass(frozen=True, slots=True)
class Panel:
    """What all targets of a request share.

    :param min_interval_ms: length of a period, in milliseconds, unless a target sets one
    :param max_points: maximum number of points of a series; None: the request does not say
    :param max_events: maximum number of events in the response to a target
    """

    times: BoundedRange
    min_interval_ms: float
    max_points: int | None
    max_events: int
    ad_hoc: AdHoc


def parse_query(body: JsonObject, max_events: int | None) -> tuple[Target, ...]:
    """Return the targets of a request; hidden targets, and those without a metric, are ignored.

    :param max_events: maximum number of events in the response to a target; None: no limit
    :raises ClientSideError: if the request is invalid
    """
    panel = parse_panel(body, max_events)
    visible = (given for given in body.objects("targets", MAX_TARGETS) if not given.boolean("hide"))
    return tuple(parse_target(given, panel) for given in visible if given.text("target").strip())


def parse_panel(body: JsonObject, max_events: int | None) -> Panel:
    """Return what all targets of a request share.

    :raises ClientSideError: if it is invalid
    """
    times = read_range(body.object("range"))
    if times.start is None or times.end is None:
        raise body.error("range", "an object with from and to")
    return Panel(
        times=BoundedRange(times.start, times.end),
        min_interval_ms=body.number("intervalMs", 0),
        max_points=body.integer("maxDataPoints", 1, MAX_INTEGER, 0) or None,
        max_events=min(MAX_TABLE_ROWS, max_events or MAX_TABLE_ROWS),
        ad_hoc=read_ad_hoc_filters(body),
    )


def parse_target(given: JsonObject, panel: Panel) -> Target:
    """Return one target of a request.

    :raises ClientSideError: if it is invalid
    """
    name = given.text("target").strip()
    if name not in METRICS:
        raise given.error("target", f"one of {', '.join(METRICS)}")
    if name == EVENT_COUNTS.name:
        return parse_counts(given.text("refId"), read_payload(given), panel)
    return parse_events(METRICS[name], given.text("refId"), read_payload(given), panel)


def read_payload(given: JsonObject) -> JsonObject:
    """Return the payload of a target: an object, or a string of JSON; SimpleJSON calls it "data".

    :raises ClientSideError: if it is something else
    """
    name = next((each for each in ("payload", "data") if given.members.get(each) is not None), "payload")
    value = given.members.get(name)
    if not isinstance(value, str):
        return given.object(name)
    try:
        return JsonObject({name: orjson.loads(value.strip() or "{}")}, given.path).object(name)
    except ValueError as error:
        raise given.error(name, "an object in JSON") from error


def parse_events(metric: Metric, ref_id: str, payload: JsonObject, panel: Panel) -> EventsTarget:
    """Return the target for a table of events, or for annotations.

    :raises ClientSideError: if the payload is invalid
    """
    order = payload.text("order") or NEWEST
    if order not in SORT_DIRECTIONS_BY_ORDER:
        raise payload.error("order", f"one of {', '.join(SORT_DIRECTIONS_BY_ORDER)}")
    limit = payload.integer("limit", 1, MAX_INTEGER, panel.max_points or DEFAULT_ROWS)
    return EventsTarget(
        metric,
        ref_id,
        selection=read_selection(payload, panel.times, panel.ad_hoc),
        page=Page(min(limit, panel.max_events), sort=(("generated", SORT_DIRECTIONS_BY_ORDER[order]),)),
        traits=tuple(dict.fromkeys(split_key(each)[1] for each in payload.names("traits"))),
        region=read_region(payload) if metric is ANNOTATIONS else None,
    )


def parse_counts(ref_id: str, payload: JsonObject, panel: Panel) -> CountsTarget:
    """Return the target for time series of event counts.

    :raises ClientSideError: if the payload is invalid
    """
    group_by = _read_group_by(payload)
    top = payload.integer("top", 1, MAX_GROUPS, DEFAULT_GROUPS)
    # All groups beyond the top ones are counted as one more group.
    max_periods = MAX_COUNTS // (top + 1 if group_by else 1)
    requested = parse_period(payload.text("interval").strip(), f"{payload.path}interval")
    max_points = min(panel.max_points or DEFAULT_POINTS, max_periods)
    interval = choose_interval(requested, panel.times, panel.min_interval_ms, max_points)
    selection = read_selection(payload, panel.times, panel.ad_hoc)
    return CountsTarget(EVENT_COUNTS, ref_id, selection, panel.times, interval, group_by, top)


def _read_group_by(payload: JsonObject) -> str | None:
    names = payload.names("group_by")
    if len(names) > 1:
        raise payload.error("group_by", "one name")
    if not names or names[0] == NO_GROUPS:
        return None
    trait_type, name = split_key(names[0])
    if trait_type not in (None, TraitType.TEXT):
        raise ClientSideError(f"{payload.path}group_by: events are grouped by string traits only")
    if not is_storable(name):
        raise payload.error("group_by", "a name that a trait can have")
    return name


def parse_annotations(body: JsonObject, max_events: int | None) -> EventsTarget:
    """Return the target for SimpleJSON's annotations, whose query has event types, separated by commas, or a payload.

    :raises ClientSideError: if the request is invalid
    """
    annotation = body.object("annotation")
    text = annotation.text("query").strip()
    if text.startswith("{"):
        payload = read_payload(JsonObject({"payload": text}, "annotation.query."))
    else:
        payload = JsonObject({"event_type": [name.strip() for name in text.split(",")]}, "annotation.")
    return parse_events(ANNOTATIONS, annotation.text("name"), payload, parse_panel(body, max_events))


def parse_period(text: str, name: str) -> datetime.timedelta | None:
    """Parse an interval such as ``30`` (seconds), ``5m``, ``1h`` or ``1d``; None: it is chosen by the time range.

    Milliseconds, which Grafana sends for short ranges, are rounded up to whole seconds.

    :param name: name of the member in errors
    :raises ClientSideError: if it is invalid, or too long
    """
    if text.lower() in AUTOMATIC_INTERVALS:
        return None
    seconds = str(math.ceil(int(text[:-2]) / 1000)) if _MILLISECONDS.fullmatch(text) else text
    try:
        return parse_interval(seconds)
    except ClientSideError as error:
        raise ClientSideError(f"{name}: an interval such as 30s, 5m, 1h or 1d is expected") from error


def choose_interval(
    requested: datetime.timedelta | None, times: BoundedRange, min_interval_ms: float, max_points: int
) -> datetime.timedelta:
    """Return the length of the periods for a time range, so that there are at most ``max_points`` of them.

    If ``max_points`` is 1 there may be two, since a range may begin in one period and end in the next.

    :param requested: used unless it makes too many periods
    :param min_interval_ms: minimum length, in milliseconds, if none is requested
    """
    if requested and len(list_periods(times, requested)) <= max_points:
        return requested
    minimum = requested / SECOND if requested else max(min_interval_ms / 1000, 1)
    # If the range begins within a period, it reaches into one more: the second divisor makes room for that.
    lengths = ((times.end - times.start) / SECOND / divisor for divisor in (max_points, max(max_points - 1, 1)))
    rounded = (_round_up(max(length, minimum)) for length in lengths)
    shorter = next(rounded) * SECOND
    return shorter if len(list_periods(times, shorter)) <= max_points else next(rounded) * SECOND


def _round_up(seconds: float) -> int:
    """Round up to whole seconds; if it is long, to a multiple of the units that storage counts fastest."""
    whole = math.ceil(seconds)
    if whole > DAY_SECONDS:
        step = DAY_SECONDS
    elif whole > HOUR_SECONDS:
        step = HOUR_SECONDS
    elif whole >= FIVE_MINUTES_SECONDS:
        step = FIVE_MINUTES_SECONDS
    else:
        step = 1
    return min(math.ceil(whole / step) * step, MAX_INTERVAL // SECOND)


def list_periods(times: BoundedRange, interval: datetime.timedelta) -> range:
    """Return the numbers of the periods that a time range covers, also in part; period 0 starts in 1970."""
    return range((times.start - EPOCH) // interval, (times.end - EPOCH) // interval + 1)


def start_times(times: BoundedRange, interval: datetime.timedelta) -> Iterator[datetime.datetime]:
    """Yield the start of each period that a time range covers, as in counts: not before the year 1."""
    for number in list_periods(times, interval):
        yield EPOCH + max(number * interval, datetime.datetime.min - EPOCH)
