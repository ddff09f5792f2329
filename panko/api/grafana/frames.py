# SPDX-License-Identifier: Apache-2.0
"""Frames, the responses to targets: events as tables and annotations, event counts as time series."""

import collections
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from panko.api.grafana.metrics import ANNOTATIONS
from panko.api.grafana.regions import Region
from panko.api.grafana.targets import CountsTarget, EventsTarget, Target, start_times
from panko.storage.aggregates import PROJECT_ID, EventCount
from panko.storage.base import Connection
from panko.storage.filters import EventFilter
from panko.storage.models import EPOCH, TRAIT_TYPES_BY_DTYPE, Event, Trait, TraitType

MAX_COLUMNS = 200
"""Maximum number of traits that get a column: those that most events have."""

MAX_ANNOTATION_CHARACTERS = 1000
"""Maximum length of the text of an annotation."""

EVENT_COLUMNS = (("Time", "time"), ("event_type", "string"), ("message_id", "string"), (PROJECT_ID, "string"))
ANNOTATION_COLUMNS = (("time", "time"), ("title", "string"), ("text", "string"), ("tags", "string"))
END_COLUMN = ("timeEnd", "time")

TRAIT_PREFIX = "traits."
"""Prefix of a trait's name in the name of a column."""

OTHER = "other"
"""Name of the series of all groups beyond the requested number."""

MILLISECOND = datetime.timedelta(milliseconds=1)

_NUMBERS = (TraitType.INTEGER, TraitType.FLOAT)


def render_frames(storage: Connection, targets: Iterable[tuple[Target, EventFilter]]) -> Iterator[bytes]:
    """Yield the frames of targets, each for the events of its filter.

    Only one table, or the series of one target, is in memory at a time.
    """
    for target, event_filter in targets:
        for frame in _make_frames(storage, target, event_filter):
            yield orjson.dumps(frame)


def _make_frames(storage: Connection, target: Target, event_filter: EventFilter) -> Iterable[dict[str, Any]]:
    if isinstance(target, CountsTarget):
        return make_series(storage.count_events(event_filter, target.count_query), target)
    events = storage.get_events(event_filter, target.page)
    if target.metric is ANNOTATIONS:
        return [make_annotations_table(events, target.traits, target.ref_id, target.region)]
    return [make_events_table(events, target.traits, target.ref_id)]


def render_annotations(
    storage: Connection, target: EventsTarget, event_filter: EventFilter, annotation: Any
) -> Iterator[bytes]:
    """Yield annotations in SimpleJSON's form.

    :param annotation: the member of the request that the response repeats
    """
    events = storage.get_events(event_filter, target.page)
    for made in make_annotations(events, target.traits, target.region):
        yield orjson.dumps({"annotation": annotation, **made})


def make_series(counts: Iterable[EventCount], target: CountsTarget) -> Iterator[dict[str, Any]]:
    """Yield a time series for each group, with a point for every period: the largest group first, "other" last.

    Without grouping there is always one series, even if no events were counted.
    """
    groups: dict[tuple[bool, str | None], dict[int, int]] = {} if target.group_by else {(False, None): {}}
    for count in counts:
        points = groups.setdefault((count.is_other, count.group), {})
        if count.start is not None:  # Always so, since the query has an interval.
            points[to_milliseconds(count.start)] = count.events
    moments = [to_milliseconds(start) for start in start_times(target.times, target.interval)]
    for is_other, group in sorted(groups, key=lambda key: (key[0], -sum(groups[key].values()))):
        points = groups[is_other, group]
        yield {
            "target": OTHER if is_other else _name_series(group, target),
            "refId": target.ref_id,
            "datapoints": [[points.get(moment, 0), moment] for moment in moments],
        }


def _name_series(group: str | None, target: CountsTarget) -> str:
    if target.group_by is None:
        return target.metric.name
    return f"no {target.group_by}" if group is None else group or '""'


def make_events_table(events: Iterable[Event], names: Sequence[str], ref_id: str) -> dict[str, Any]:
    """Return a table with a row for each event, and a column for each trait.

    :param names: names of the traits to show; empty: all that occur
    """
    heads, traits = [], []
    for event in events:
        heads.append([to_milliseconds(event.generated), event.event_type, event.message_id, find_project(event)])
        found = first_traits(event)
        traits.append({name: found[name] for name in names if name in found} if names else found)
    types = _choose_columns(traits, names)
    columns = [*EVENT_COLUMNS, *((f"{TRAIT_PREFIX}{name}", type_) for name, type_ in types.items())]
    rows = [
        [*head, *(make_cell(found.get(name), type_) for name, type_ in types.items())]
        for head, found in zip(heads, traits, strict=True)
    ]
    return _make_table(columns, rows, ref_id)


def _choose_columns(rows: Iterable[Mapping[str, Trait]], names: Sequence[str]) -> dict[str, str]:
    """Return the types of the trait columns by name."""
    dtypes: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for row in rows:
        for name, trait in row.items():
            dtypes[name][trait.dtype] += 1
    if not names:
        # The project has a column already.
        occurring = sorted(set(dtypes) - {PROJECT_ID}, key=lambda name: (-dtypes[name].total(), name))
        names = sorted(occurring[:MAX_COLUMNS])
    return {name: choose_column_type(dtypes[name]) for name in names[:MAX_COLUMNS]}


def make_annotations_table(
    events: Iterable[Event], names: Sequence[str], ref_id: str, region: Region | None = None
) -> dict[str, Any]:
    """Return a table whose columns Grafana reads as annotations; the tags are one text, separated by commas."""
    annotations = [{**each, "tags": ",".join(each["tags"])} for each in make_annotations(events, names, region)]
    columns = (*ANNOTATION_COLUMNS, END_COLUMN) if region else ANNOTATION_COLUMNS
    return _make_table(columns, [[each.get(name) for name, _ in columns] for each in annotations], ref_id)


def make_annotations(
    events: Iterable[Event], names: Sequence[str], region: Region | None = None
) -> Iterator[dict[str, Any]]:
    """Yield an annotation for each event, or for each pair of events.

    :param names: names of the traits to show in its text; empty: all
    :param region: which events are pairs; None: none
    """
    for event, end in region.pair(events) if region else ((event, None) for event in events):
        project = find_project(event)
        yield {
            "time": to_milliseconds(event.generated),
            "title": event.event_type if end is None else f"{event.event_type} - {end.event_type}",
            "text": summarize(end or event, names),
            "tags": [event.event_type] if project is None else [event.event_type, project],
            **({} if end is None else {END_COLUMN[0]: to_milliseconds(end.generated)}),
        }


def summarize(event: Event, names: Sequence[str] = ()) -> str:
    """Return the traits of an event as a text of limited length.

    :param names: names of the traits; empty: all
    """
    chosen = (trait for trait in event.traits if not names or trait.name in names)
    text = ", ".join(f"{trait.name}={to_text(trait.dtype, trait.value)}" for trait in chosen)
    return text if len(text) <= MAX_ANNOTATION_CHARACTERS else f"{text[:MAX_ANNOTATION_CHARACTERS]}…"


def _make_table(columns: Iterable[tuple[str, str]], rows: list[list[Any]], ref_id: str) -> dict[str, Any]:
    described = [{"text": name, "type": type_} for name, type_ in columns]
    return {"type": "table", "refId": ref_id, "columns": described, "rows": rows}


def choose_column_type(dtypes: Iterable[int]) -> str:
    """Return Grafana's type for a column that holds traits of these types."""
    found = set(dtypes)
    if found == {TraitType.DATETIME}:
        return "time"
    return "number" if found and found.issubset(_NUMBERS) else "string"


def make_cell(trait: Trait | None, column_type: str) -> Any:
    """Return a trait's value for a column of a type; None if the event has no such trait."""
    if trait is None:
        return None
    if column_type == "number":
        return trait.value
    return to_milliseconds(trait.value) if column_type == "time" else to_text(trait.dtype, trait.value)


def first_traits(event: Event) -> dict[str, Trait]:
    """Return the traits of an event by name: the first recorded of each name."""
    traits: dict[str, Trait] = {}
    for trait in event.traits:
        traits.setdefault(trait.name, trait)
    return traits


def find_project(event: Event) -> str | None:
    """Return the project that an event belongs to: as for its scope, the first string trait of that name."""
    return next((t.value for t in event.traits if t.name == PROJECT_ID and t.dtype == TraitType.TEXT), None)


def to_text(dtype: int, value: Any) -> str:
    """Return a trait's value as text; a time has a "Z" at its end."""
    return to_utc_text(value) if dtype == TraitType.DATETIME else TRAIT_TYPES_BY_DTYPE[dtype].format(value)


def to_json(trait: Trait) -> Any:
    """Return a trait's value as JSON has it: a number or a text."""
    return trait.value if trait.dtype in _NUMBERS else to_text(trait.dtype, trait.value)


def to_milliseconds(time: datetime.datetime) -> int:
    """Return the whole milliseconds since 1970 of a naive UTC time."""
    return (time - EPOCH) // MILLISECOND


def to_utc_text(time: datetime.datetime) -> str:
    """Return a naive UTC time in ISO 8601 with the zone, so that no reader assumes its own."""
    return f"{time.isoformat()}Z"
