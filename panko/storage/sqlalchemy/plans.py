# SPDX-License-Identifier: Apache-2.0
"""How a page of events with filters on traits is read without reading much else.

Two ways lead to such a page: from the index of a trait, at a cost that grows with the events that have it; or through
the events in the order of time, looking into each, at a cost that grows with those that do not. Which is shorter
depends on how many events have the trait, which no statistics tell of every value. So a look at the nearest events
comes first, which often fills the page. Else both ways are tried with a budget, and with a greater one until the page
is full: it costs a small multiple of what the shorter way does.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from panko.storage.sqlalchemy.pages import PageQuery, Source

FIRST_BUDGET = 500
GROWTH = 8
MARGIN = 1.5
"""How many times as many events are looked into as would fill the page, going by those that were."""

RANGE_FACTOR = 2
"""Entries of an index of a range that cost as much as one event that is looked into."""

DECIDING_RANGE_FACTOR = 16
"""The same where all events of the range are the page's, and just the first of them are read."""

EVENTS = Source()


def read_page(connection: sa.Connection, query: PageQuery) -> Sequence[sa.Row]:
    """Return the rows of a page that has a limit or names its events.

    :param connection: each statement on it sees what is committed when it starts
    """
    sources = query.sources()
    if query.names_events:
        return connection.execute(query.select(EVENTS)).all()
    if not (sources and query.sorted_by_time):
        return connection.execute(query.select()).all()
    if query.is_decided_by_trait() and sources[0].ordered:
        return _read_decided(connection, query, sources[0])
    return _read_sifted(connection, query, sources)


def _read_decided(connection: sa.Connection, query: PageQuery, source: Source) -> Sequence[sa.Row]:
    """Return the rows of the page from a source in the order of time, all of whose events are the page's."""
    size = query.limit + 1 if query.begins_at_first else query.limit + 2  # One is the marker's own.
    rows = connection.execute(query.select_first(connection, source, size)).all()
    if _is_full(rows, query.limit) or (query.begins_at_first and len(rows) < size):
        return rows[: query.limit]
    return _read_from(connection, query, source)


def _read_sifted(connection: sa.Connection, query: PageQuery, sources: Sequence[Source]) -> Sequence[sa.Row]:
    """Return the rows of the page, looking into events for what does not decide where they lie."""
    # Events that have one of the traits are fewer to look into than all events.
    nearest = sources[0] if sources[0].ordered else EVENTS
    budget = looked_into = max(FIRST_BUDGET, 2 * query.limit)
    rows = connection.execute(query.select_first(connection, nearest, budget)).all()
    if _is_full(rows, query.limit):
        return rows[: query.limit]
    if rows:
        budget = _grown(budget, len(rows), query.limit)
    range_factor = DECIDING_RANGE_FACTOR if query.is_decided_by_trait() else RANGE_FACTOR
    while True:
        for source in (EVENTS, *sources):
            size = budget if source.ordered else budget * range_factor
            reached = connection.scalar(query.probe(source, size, source.ordered))
            if reached is None:
                return _read_from(connection, query, source)
            if source is nearest:
                until = reached
        found = 0
        if budget > looked_into:
            rows = connection.execute(query.select(nearest, until)).all()
            if len(rows) == query.limit:
                return rows
            found = len(rows)
        budget = _grown(budget, found, query.limit)


def _is_full(rows: Sequence[sa.Row], limit: int) -> bool:
    """Whether a page is sure to be among its first rows: of the events of one time, some may not have been seen."""
    return len(rows) > limit and rows[limit - 1].generated != rows[limit].generated


def _grown(budget: int, found: int, limit: int) -> int:
    return min(budget * GROWTH, int(MARGIN * budget * limit / found) + 1) if found else budget * GROWTH


def _read_from(connection: sa.Connection, query: PageQuery, source: Source) -> Sequence[sa.Row]:
    """Return the rows of the page from a source whose events are few, or in order and all of them the page's."""
    until = None
    if query.is_decided_by_trait() and source is not EVENTS:
        until = connection.scalar(query.probe(source, query.limit))
    rows = connection.execute(query.select(source, until)).all()
    if until is None or len(rows) == query.limit:
        return rows
    # Events that expired after the probe are missing, and what comes next belongs in their place.
    return connection.execute(query.select(source)).all()
