# SPDX-License-Identifier: Apache-2.0
"""Aggregates, counts and trait values, to measure: each as a storage call and as a request."""

import datetime
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import dataset
from benchmarks.loading import Facts

WINDOW = datetime.timedelta(hours=6)
ALL_TYPES = len(dataset.TYPES)
DEFAULT_NEWEST_EVENTS = 500
"""The API's default for the number of newest events whose values are listed."""

ADMIN = {"X-Roles": "admin", "X-Project-Id": "benchmark", "X-User-Id": "benchmark"}


@dataclass(frozen=True)
class Aggregate:
    """A query for an aggregate of events.

    :param command: the storage call, as the worker's command
    :param path: the request's path
    :param arguments: the request's arguments
    :param window: first and last time (ISO 8601) of the events; None: any
    """

    name: str
    command: Mapping[str, Any]
    path: str
    arguments: Mapping[str, Any]
    window: tuple[str, str] | None = None

    def as_call(self) -> dict[str, Any]:
        """Return the worker's command for the storage call."""
        window = dict(zip(("start_timestamp", "end_timestamp"), self.window or (), strict=False))
        return {**self.command, "filters": {**self.command.get("filters", {}), **window}}

    def as_request(self) -> dict[str, Any]:
        """Return the worker's command for a request for all events."""
        conditions = [("all_tenants", "eq", "True")]
        if self.window:
            conditions += [("start_timestamp", "ge", self.window[0]), ("end_timestamp", "le", self.window[1])]
        query = [
            (f"q.{name}", text)
            for each in conditions
            for name, text in zip(("field", "op", "value"), each, strict=True)
        ]
        query += self.arguments.items()
        return {"do": "request", "path": self.path, "query": urllib.parse.urlencode(query), "headers": ADMIN}


def aggregates(facts: Facts) -> list[Aggregate]:
    """Return the aggregates to measure on an event set."""
    middle = datetime.datetime.fromisoformat(facts.generated)
    window = (middle.isoformat(), (middle + WINDOW).isoformat())
    busy = dataset.TYPES[0]
    return [
        _counts(HOURLY, interval=3600, group_by="event_type", limit=ALL_TYPES),
        _counts(RECENT, window, interval=300),
        _counts("per 5 minutes by type, 6 hours", window, interval=300, group_by="event_type"),
        _counts(BY_PROJECT, group_by="project_id"),
        _counts(BY_STATE, group_by="state"),
        Aggregate(
            VALUES,
            {"do": "values", "trait_name": "state", "filters": {"event_type": busy}, "newest": DEFAULT_NEWEST_EVENTS},
            f"/v2/event_types/{busy}/traits/state/values",
            {},
        ),
    ]


HOURLY, RECENT, VALUES = "per hour by type, all time", "per 5 minutes, 6 hours", "values of a trait"
BY_PROJECT, BY_STATE = "by project, all time", "by state, all time"


def _counts(name: str, window: tuple[str, str] | None = None, **parameters: Any) -> Aggregate:
    return Aggregate(name, {"do": "count", **parameters}, "/v2/event_counts", parameters, window)
