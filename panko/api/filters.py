# SPDX-License-Identifier: Apache-2.0
"""The events that a request selects, by the filters of ``q`` and by texts in the filter language."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from panko.api.query import FilterArgument, parse_all_tenants, parse_filters
from panko.filter_language import parse_all
from panko.storage.base import FILTER_CAPABILITY, Connection
from panko.storage.conditions import Comparison, Condition, Subject, all_of
from panko.storage.errors import NotSupported
from panko.storage.filters import EventFilter, Scope
from panko.storage.models import TraitType

FILTER = "filter"
"""The argument of requests that has such texts."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The events that a request selects, whoever the caller is.

    :param all_tenants: whether events of all tenants are requested; None: the request does not say
    :param texts: the request's texts in the filter language, which are part of ``event_filter``
    :param absolute_texts: the same without relative times, for a later request; empty if they are equal
    :param uses_language: whether there are conditions that ``q`` cannot have
    """

    event_filter: EventFilter
    all_tenants: bool | None = None
    texts: tuple[str, ...] = ()
    absolute_texts: tuple[str, ...] = ()
    uses_language: bool = False

    def limit_to(self, scope: Scope, storage: Connection, scan_seconds: float | None = None) -> EventFilter:
        """Return the filter for the selected events within a scope.

        :param scan_seconds: how long the storage may search for what ``q`` cannot have; None: as long as it needs
        :raises NotSupported: if there is such a condition, and the storage driver does not know all of them
        """
        if not self.uses_language:
            return dataclasses.replace(self.event_filter, scope=scope)
        if not storage.knows_all_conditions():
            raise NotSupported(FILTER_CAPABILITY)
        return dataclasses.replace(self.event_filter, scope=scope, scan_seconds=scan_seconds)


def parse_selection(
    q: Sequence[FilterArgument] | None, texts: Iterable[str] | None, all_tenants: str | None = None
) -> Selection:
    """Return the events that meet all filters and all texts.

    :param all_tenants: whether events of all tenants are requested, as a word; ``q`` may request them, too
    :raises ClientSideError: if a filter is invalid
    :raises InvalidFilter: if a text is invalid
    """
    return add_texts(parse_q(q, all_tenants), texts)


def parse_q(q: Sequence[FilterArgument] | None, all_tenants: str | None = None) -> Selection:
    """Return the events that meet all filters.

    :raises ClientSideError: if a filter is invalid
    """
    event_filter, is_in_q = parse_filters(q)
    return Selection(event_filter, is_in_q or parse_all_tenants(all_tenants))


def add_texts(selection: Selection, texts: Iterable[str] | None) -> Selection:
    """Return a selection whose events meet texts in the filter language, too; empty texts are ignored.

    :raises InvalidFilter: if a text is invalid
    """
    given = tuple(text for text in texts or () if text.strip())
    if not given:
        return selection
    parsed = parse_all(given)
    return dataclasses.replace(
        selection,
        event_filter=restrict(selection.event_filter, parsed.condition),
        texts=given,
        absolute_texts=() if parsed.texts == given else parsed.texts,
        uses_language=True,
    )


def restrict(event_filter: EventFilter, *conditions: Condition) -> EventFilter:
    """Return a filter whose events meet some conditions, too."""
    # Not by its other attributes: these have event types and times of its condition, which must still hold.
    return dataclasses.replace(event_filter, condition=all_of([event_filter.condition, *conditions]))


def restrict_to_type(selection: Selection, event_type: str) -> Selection:
    """Return a selection whose events have a type, too."""
    condition = Comparison(Subject.EVENT_TYPE, TraitType.TEXT, "eq", (event_type,))
    return dataclasses.replace(selection, event_filter=restrict(selection.event_filter, condition))
