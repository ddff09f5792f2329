# SPDX-License-Identifier: Apache-2.0
"""What a panel asks for: the targets of a request, each with all that its answer needs but the scope."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from wsme.exc import ClientSideError

from panko.api.grafana import metrics
from panko.api.grafana.conditions import Condition, ad_hoc_conditions_of, split_key
from panko.api.grafana.intervals import choose_interval, read_interval
from panko.api.grafana.members import Members
from panko.api.grafana.selections import Selection, selection_of
from panko.api.grafana.times import Range, whole_range_of
from panko.api.query import DEFAULT_GROUPS
from panko.storage.aggregates import MAX_COUNTS, MAX_GROUPS, CountQuery
from panko.storage.filters import Page
from panko.storage.models import TraitType, is_storable

MOST_TARGETS = 50
MOST_ROWS = 10_000
DEFAULT_ROWS = 100
DEFAULT_POINTS = 1000
LARGEST_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class EventsTarget:
    """A table of events, or annotations.

    :param metric: name of the metric
    :param traits: names of the traits that are shown; none: all
    """

    metric: str
    ref_id: str
    selection: Selection
    page: Page
    traits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CountsTarget:
    """Series of counts over a range that has both ends."""

    metric: str
    ref_id: str
    selection: Selection
    span: Range
    counting: CountQuery


Target = EventsTarget | CountsTarget


@dataclass(frozen=True, slots=True)
class Panel:
    """What all targets of a request share.

    :param span: a range with both ends
    :param interval: milliseconds that a period has at least
    :param points: points of a series that there is room for; None: it is not said
    :param largest: number of events that an answer holds at most
    """

    span: Range
    interval: float
    points: int | None
    largest: int
    ad_hoc: tuple[Condition, ...]


def parse_query(body: Members, largest: int | None) -> tuple[Target, ...]:
    """Return the targets of a request that are not hidden; one that names no metric yet does not count.

    :param largest: number of events that an answer holds at most; None: there is no such bound
    :raises ClientSideError: where the request cannot be read
    """
    panel = parse_panel(body, largest)
    targets = (given for given in body.objects("targets", MOST_TARGETS) if not given.flag("hide"))
    return tuple(parse_target(given, panel) for given in targets if given.text("target").strip())


def parse_panel(body: Members, largest: int | None) -> Panel:
    """Return what all targets of a request share.

    :raises ClientSideError: where it cannot be read
    """
    return Panel(
        span=whole_range_of(body),
        interval=body.number("intervalMs", 0),
        points=body.whole("maxDataPoints", 1, LARGEST_NUMBER, 0) or None,
        largest=min(MOST_ROWS, largest or MOST_ROWS),
        ad_hoc=tuple(ad_hoc_conditions_of(body)),
    )


def parse_target(given: Members, panel: Panel) -> Target:
    """Return the target that an object describes.

    :raises ClientSideError: where it cannot be read
    """
    name = given.text("target").strip()
    if name not in _PARSERS:
        raise given.wrong("target", f"one of {', '.join(_PARSERS)}")
    return _PARSERS[name](name, given.text("refId"), payload_of(given), panel)


def payload_of(given: Members) -> Members:
    """Return the payload of a target: an object, or the text of one; SimpleJSON calls it data.

    :raises ClientSideError: where it is something else
    """
    name = next((each for each in ("payload", "data") if given.given.get(each) is not None), "payload")
    value = given.given.get(name)
    if not isinstance(value, str):
        return given.object(name)
    try:
        return Members({name: orjson.loads(value.strip() or "{}")}, given.path).object(name)
    except ValueError as error:
        raise given.wrong(name, "an object in JSON") from error


def parse_events(name: str, ref_id: str, payload: Members, panel: Panel) -> EventsTarget:
    """Return the target for a table of events, or for annotations.

    :raises ClientSideError: where the payload cannot be read
    """
    order = payload.text("order") or metrics.NEWEST
    if order not in metrics.ORDERS:
        raise payload.wrong("order", f"one of {', '.join(metrics.ORDERS)}")
    limit = payload.whole("limit", 1, LARGEST_NUMBER, panel.points or DEFAULT_ROWS)
    return EventsTarget(
        metric=name,
        ref_id=ref_id,
        selection=selection_of(payload, panel.span, panel.ad_hoc),
        page=Page(min(limit, panel.largest), sort=(("generated", metrics.ORDERS[order]),)),
        traits=tuple(dict.fromkeys(split_key(each)[1] for each in payload.names("traits"))),
    )


def parse_counts(name: str, ref_id: str, payload: Members, panel: Panel) -> CountsTarget:
    """Return the target for series of counts.

    :raises ClientSideError: where the payload cannot be read
    """
    group_by = _group_by(payload)
    top = payload.whole("top", 1, MAX_GROUPS, DEFAULT_GROUPS)
    # The groups beyond the top are one more.
    room = MAX_COUNTS // (top + 1 if group_by else 1)
    asked = read_interval(payload.text("interval").strip(), f"{payload.path}interval")
    interval = choose_interval(asked, panel.span, panel.interval, min(panel.points or DEFAULT_POINTS, room))
    selection = selection_of(payload, panel.span, panel.ad_hoc)
    return CountsTarget(name, ref_id, selection, panel.span, CountQuery(interval, group_by, top))


def _group_by(payload: Members) -> str | None:
    names = payload.names("group_by")
    if len(names) > 1:
        raise payload.wrong("group_by", "one name")
    if not names or names[0] == metrics.NO_GROUPS:
        return None
    kind, name = split_key(names[0])
    if kind not in (None, TraitType.TEXT):
        raise ClientSideError(f"{payload.path}group_by: events are grouped by string traits only")
    if not is_storable(name):
        raise payload.wrong("group_by", "a name that a trait can have")
    return name


_PARSERS: Mapping[str, Callable[[str, str, Members, Panel], Target]] = {
    metrics.EVENTS: parse_events,
    metrics.EVENT_COUNTS: parse_counts,
    metrics.ANNOTATIONS: parse_events,
}


def parse_annotations(body: Members, largest: int | None) -> EventsTarget:
    """Return what SimpleJSON's annotations are made of. Their query holds event types with commas, or a payload.

    :raises ClientSideError: where the request cannot be read
    """
    annotation = body.object("annotation")
    text = annotation.text("query").strip()
    if text.startswith("{"):
        payload = payload_of(Members({"payload": text}, "annotation.query."))
    else:
        payload = Members({"event_type": _split(text)}, "annotation.")
    return parse_events(metrics.ANNOTATIONS, annotation.text("name"), payload, parse_panel(body, largest))


def _split(text: str) -> Sequence[str]:
    return [name.strip() for name in text.split(",")]
