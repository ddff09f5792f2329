# SPDX-License-Identifier: Apache-2.0
"""Pages of events, read by statements that are bounded in rows and bytes.

While the caller works on the rows of one statement, which takes as long as a slow client does, no connection is in use.
The next statement continues after the position of the last event, whether or not that event still exists.
"""

import itertools
from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from panko.storage.conditions import ALL_EVENTS, NO_EVENT, Subject, mentions
from panko.storage.errors import InvalidMarker
from panko.storage.evaluation import matches_nothing
from panko.storage.filters import (
    EventFilter,
    Page,
    Position,
    Scope,
    limit_time,
    position_of,
    restrict_event_types,
)
from panko.storage.models import is_storable
from panko.storage.owners import owner_texts_of
from panko.storage.scans import ScanBudget
from panko.storage.shapes import FoundEvent
from panko.storage.sqlalchemy import queries
from panko.storage.sqlalchemy.candidates import drop_absent, find_candidates, has_alternative_types
from panko.storage.sqlalchemy.catalog import Catalog
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_reader import EventReader
from panko.storage.sqlalchemy.queries import fetch
from panko.storage.sqlalchemy.scopes import in_scope, owner_conditions_of
from panko.storage.sqlalchemy.search import Search
from panko.storage.sqlalchemy.tables import EVENT
from panko.storage.sqlalchemy.trait_names import TraitCatalog


class PageReader:
    """Reads pages of events.

    :param engine: engine of the database
    :param dialect: dialect of the database
    :param events: makes events of rows
    :param catalog: knows the event types
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect, events: EventReader, catalog: Catalog):
        self.reader = dialect.reader(engine)
        self.dialect = dialect
        self.events = events
        self.catalog = catalog
        self._traits = TraitCatalog(engine, dialect)

    def read(
        self,
        event_filter: EventFilter,
        page: Page,
        documents: tuple[sa.Column, ...] = (EVENT.c.trait_values, EVENT.c.raw),
        budget: ScanBudget | None = None,
    ) -> Iterator[FoundEvent]:
        """Return an iterator of the events of a page.

        :param documents: the documents to read of each event, trait_values first; none if only places are needed, and
            there is no filter on traits
        :param budget: the time that is left, if several reads share that of the filter
        :raises InvalidMarker: if the scope does not contain the event of the page's marker
        """
        position = self._find_marker(page.marker, event_filter.scope) if page.marker else position_of(page.after)
        event_filter, types = self._restrict(event_filter)
        condition = event_filter.condition
        if has_alternative_types(condition):
            # What cannot be found by keys may not exist.
            condition = drop_absent(condition, self._traits.find_names())
        if condition == NO_EVENT or matches_nothing(event_filter):
            return iter(())
        event_filter = limit_time(event_filter, page)
        budget = budget or ScanBudget(event_filter.scan_seconds)
        candidates = find_candidates(event_filter, condition, event_filter.event_type or tuple(types))
        search = Search(self, event_filter, page, documents, position, candidates, types, budget)
        return budget.measure(itertools.islice(search.read(), page.limit))

    def read_places(self, event_filter: EventFilter, page: Page) -> Iterator[FoundEvent]:
        """Return an iterator of the events of a page, of which only the places need to be known.

        :raises InvalidMarker: as :meth:`read`
        """
        return self.read(event_filter, page, () if event_filter.condition == ALL_EVENTS else (EVENT.c.trait_values,))

    def restrict(self, event_filter: EventFilter) -> EventFilter:
        """Return a filter for the event types with which an event can meet another filter's condition."""
        return self._restrict(event_filter)[0]

    def _restrict(self, event_filter: EventFilter) -> tuple[EventFilter, Mapping[str, int]]:
        """Return the same, and the ids of all event types; none if the condition is not about them."""
        if not mentions(event_filter.condition, Subject.EVENT_TYPE):
            return event_filter, {}
        types = self.catalog.event_type_ids()
        return restrict_event_types(event_filter, types), types

    def _find_marker(self, marker: str, scope: Scope) -> Position:
        conditions = in_scope(owner_conditions_of(scope), EVENT.c.owner_id)
        query = sa.select(queries.GENERATED, EVENT.c.message_id).where(EVENT.c.message_id == marker, *conditions)
        for row in fetch(self.reader, query, owner_texts_of(scope)) if is_storable(marker) else ():
            return Position(*row)
        raise InvalidMarker(marker)
