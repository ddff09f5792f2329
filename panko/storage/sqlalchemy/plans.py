# SPDX-License-Identifier: Apache-2.0
"""How a page of events with filters on traits is read without reading much else.

Two ways lead to such a page: from the index of a trait, at a cost that grows with the events that have it; or through
the events in the order of time, looking into each, at a cost that grows with those that do not. Which is shorter
depends on how many events have the trait, which no statistics tell of every value. So both are tried with a budget,
and with a greater one until the page is full: it costs a small multiple of what the shorter way does.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from panko.storage.sqlalchemy.queries import PageQuery, Source

FIRST_BUDGET = 500
GROWTH = 8
RANGE_FACTOR = 16
"""Entries of an index of a range that cost as much as one event that is looked into."""

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
        return _read_from(connection, query, sources[0])
    budget = max(FIRST_BUDGET, 2 * query.limit)
    while (rows := _read_within(connection, query, sources, budget)) is None:
        budget *= GROWTH
    return rows


def _read_within(
    connection: sa.Connection, query: PageQuery, sources: Sequence[Source], budget: int
) -> Sequence[sa.Row] | None:
    """Return the rows of the page; None where the budget does not suffice."""
    reached = {}
    for source in (EVENTS, *sources):
        size = budget if source.ordered else budget * RANGE_FACTOR
        reached[source] = connection.scalar(query.probe(source, size, source.ordered))
        if reached[source] is None:
            return _read_from(connection, query, source)
    # Events that have one of the traits are fewer to look into than all events.
    ordered = sources[0] if sources[0].ordered else EVENTS
    rows = connection.execute(query.select(ordered, until=reached[ordered])).all()
    return rows if len(rows) == query.limit else None


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
