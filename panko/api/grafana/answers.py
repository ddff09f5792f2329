# SPDX-License-Identifier: Apache-2.0
"""What the targets of a request are answered with."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from panko.api.grafana import metrics
from panko.api.grafana.queries import EventsTarget, Target
from panko.api.grafana.series import series_of
from panko.api.grafana.tables import annotations, annotations_table, events_table
from panko.storage.base import Connection
from panko.storage.filters import EventFilter, Scope


def answer_query(storage: Connection, targets: Iterable[tuple[Target, Scope]]) -> Iterator[bytes]:
    """Yield the series and tables of targets, each of them for the events of its scope.

    One target after the other is answered: memory holds one table, or the series of one target.
    """
    for target, scope in targets:
        for made in _answer(storage, target, target.selection.seen_in(scope)):
            yield orjson.dumps(made)


def _answer(storage: Connection, target: Target, event_filter: EventFilter) -> Iterable[dict[str, Any]]:
    if not isinstance(target, EventsTarget):
        return series_of(storage.count_events(event_filter, target.counting), target)
    make = annotations_table if target.metric == metrics.ANNOTATIONS else events_table
    return [make(storage.get_events(event_filter, target.page), target.traits, target.ref_id)]


def answer_annotations(storage: Connection, target: EventsTarget, scope: Scope, echo: Any) -> Iterator[bytes]:
    """Yield annotations as SimpleJSON reads them.

    :param echo: what the request says of the annotation, which the answer repeats
    """
    events = storage.get_events(target.selection.seen_in(scope), target.page)
    for made in annotations(events, target.traits):
        yield orjson.dumps({"annotation": echo, **made})
