# SPDX-License-Identifier: Apache-2.0
"""Counts as series: one for each group, with a point for every period."""

import collections
from collections.abc import Iterable, Iterator
from typing import Any

from panko.api.grafana.intervals import starts
from panko.api.grafana.queries import CountsTarget
from panko.api.grafana.times import to_milliseconds
from panko.storage.aggregates import EventCount

OTHER = "other"
"""The series of all groups beyond those that were asked for."""

Group = tuple[bool, str | None]


def series_of(counts: Iterable[EventCount], target: CountsTarget) -> Iterator[dict[str, Any]]:
    """Yield the series of counts: the group with the most events first, that of the others last.

    Where nothing is grouped there is one series, also where nothing was counted.
    """
    groups: dict[Group, dict[int, int]] = {} if target.counting.group_by else {(False, None): {}}
    for count in counts:
        points = groups.setdefault((count.is_other, count.group), collections.Counter())
        points[to_milliseconds(count.start)] = count.events
    moments = [to_milliseconds(start) for start in starts(target.span, target.counting.interval)]
    for group in sorted(groups, key=lambda group: (group[0], -sum(groups[group].values()))):
        points = groups[group]
        yield {
            "target": _name(group, target),
            "refId": target.ref_id,
            "datapoints": [[points.get(moment, 0), moment] for moment in moments],
        }


def _name(group: Group, target: CountsTarget) -> str:
    is_other, value = group
    if target.counting.group_by is None:
        return target.metric
    if is_other:
        return OTHER
    return f"no {target.counting.group_by}" if value is None else value or '""'
