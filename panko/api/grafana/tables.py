# SPDX-License-Identifier: Apache-2.0
"""Events as tables, and as annotations."""

import collections
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from panko.api.grafana.cells import TRAIT_PREFIX, cell, column_type, first_traits, project_of, to_text
from panko.api.grafana.times import to_milliseconds
from panko.storage.aggregates import PROJECT_ID
from panko.storage.models import Event, Trait

MOST_COLUMNS = 200
"""Traits that get a column: those that most events have."""

MOST_TEXT = 1000
"""Characters of the text of an annotation."""

EVENT_COLUMNS = (("Time", "time"), ("event_type", "string"), ("message_id", "string"), (PROJECT_ID, "string"))
ANNOTATION_COLUMNS = (("time", "time"), ("title", "string"), ("text", "string"), ("tags", "string"))


def events_table(events: Iterable[Event], names: Sequence[str], ref_id: str) -> dict[str, Any]:
    """Return a table with a row for each event, and a column for each trait.

    :param names: the traits that are shown; none: all that occur
    """
    heads, traits = [], []
    for event in events:
        heads.append([to_milliseconds(event.generated), event.event_type, event.message_id, project_of(event)])
        found = first_traits(event)
        traits.append({name: found[name] for name in names if name in found} if names else found)
    kinds = _kinds(traits, names)
    columns = [*EVENT_COLUMNS, *((f"{TRAIT_PREFIX}{name}", kind) for name, kind in kinds.items())]
    rows = [
        [*head, *(cell(found.get(name), kind) for name, kind in kinds.items())]
        for head, found in zip(heads, traits, strict=True)
    ]
    return _table(columns, rows, ref_id)


def _kinds(rows: Iterable[Mapping[str, Trait]], names: Sequence[str]) -> dict[str, str]:
    """Return the columns of traits, by name, and the type of each."""
    dtypes: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for row in rows:
        for name, trait in row.items():
            dtypes[name][trait.dtype] += 1
    if not names:
        # The project has a column already.
        occurring = sorted(set(dtypes) - {PROJECT_ID}, key=lambda name: (-dtypes[name].total(), name))
        names = sorted(occurring[:MOST_COLUMNS])
    return {name: column_type(dtypes[name]) for name in names[:MOST_COLUMNS]}


def annotations_table(events: Iterable[Event], names: Sequence[str], ref_id: str) -> dict[str, Any]:
    """Return a table whose columns Grafana takes for those of annotations; tags stand in one text, with commas."""
    rows = [[made["time"], made["title"], made["text"], ",".join(made["tags"])] for made in annotations(events, names)]
    return _table(ANNOTATION_COLUMNS, rows, ref_id)


def annotations(events: Iterable[Event], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield an annotation for each event, whose text is the traits of these names; no names are all traits."""
    for event in events:
        project = project_of(event)
        yield {
            "time": to_milliseconds(event.generated),
            "title": event.event_type,
            "text": _summary(event, names),
            "tags": [event.event_type] if project is None else [event.event_type, project],
        }


def _summary(event: Event, names: Sequence[str]) -> str:
    chosen = (trait for trait in event.traits if not names or trait.name in names)
    text = ", ".join(f"{trait.name}={to_text(trait.dtype, trait.value)}" for trait in chosen)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"


def _table(columns: Iterable[tuple[str, str]], rows: list[list[Any]], ref_id: str) -> dict[str, Any]:
    described = [{"text": name, "type": kind} for name, kind in columns]
    return {"type": "table", "refId": ref_id, "columns": described, "rows": rows}
