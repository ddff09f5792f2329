# SPDX-License-Identifier: Apache-2.0
"""Aggregates: the storage calls for counts and trait values, which Panko 10.0 lacks."""

import datetime
from collections.abc import Iterator
from typing import Any

from benchmarks.worker.session import Session
from benchmarks.worker.timing import repeated
from panko.storage import EventFilter


def count(
    session: Session,
    repeat: int,
    budget: float,
    filters: dict[str, Any],
    interval: int | None = None,
    group_by: str | None = None,
    limit: int = 10,
) -> Iterator[dict]:
    """Time ``count_events``.

    :param filters: arguments of EventFilter, times as ISO 8601
    :param interval: seconds; None: over all time
    """
    try:
        from panko.storage.aggregates import CountQuery
    except ImportError:  # An earlier commit, in a run with --against.
        from panko.storage import summaries

        CountQuery = summaries.Counting

    count_query = CountQuery(interval and datetime.timedelta(seconds=interval), group_by, limit)

    def call() -> list:
        return list(session.connection.count_events(EventFilter(**filters), count_query))

    yield from repeated(call, repeat, budget, lambda counts: {"rows": len(counts)})


def values(
    session: Session, repeat: int, budget: float, trait_name: str, filters: dict[str, Any], newest: int
) -> Iterator[dict]:
    """Time ``get_trait_values``; the arguments are those of :func:`count`."""

    def call() -> Any:
        return session.connection.get_trait_values(trait_name, EventFilter(**filters), newest)

    yield from repeated(call, repeat, budget, lambda found: {"rows": len(found.values)})
