# SPDX-License-Identifier: Apache-2.0
"""Which events a request is about: its range, what the payload selects and the ad hoc filters, all of which hold."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce

from panko.api.grafana.conditions import Condition, conditions_of, filter_of
from panko.api.grafana.members import Members
from panko.api.grafana.times import Range
from panko.storage.aggregates import PROJECT_ID
from panko.storage.filters import EventFilter, Scope, TraitFilter
from panko.storage.models import TraitType

NO_NAME = "\x00"
"""An event type, or a message_id, that no event has."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the events are to meet, whoever asks, and whether those of all tenants are meant; None: it is left open."""

    event_filter: EventFilter
    all_tenants: bool | None = None

    def seen_in(self, scope: Scope) -> EventFilter:
        """Return the filter for the events of a scope."""
        return replace(self.event_filter, scope=scope)


def selection_of(payload: Members, span: Range, ad_hoc: Iterable[Condition] = ()) -> Selection:
    """Return what a payload selects.

    :param span: the range of the request
    :param ad_hoc: the ad hoc filters of the request
    :raises ClientSideError: where the payload cannot be read
    """
    own = EventFilter(
        start_timestamp=span.start,
        end_timestamp=span.end,
        event_type=payload.names("event_type"),
        traits_filter=project_filters(payload),
    )
    filters = (own, filter_of(conditions_of(payload, "filters")), filter_of(ad_hoc))
    return Selection(reduce(_both, filters), payload.flag("all_tenants"))


def project_filters(payload: Members) -> tuple[TraitFilter, ...]:
    """Return the filter on the project that a payload names, or none.

    :raises ClientSideError: where it names several
    """
    projects = payload.names(PROJECT_ID)
    if len(projects) > 1:
        raise payload.wrong(PROJECT_ID, "one project, or none for all,")
    return tuple(TraitFilter(PROJECT_ID, TraitType.TEXT, project) for project in projects)


def _both(one: EventFilter, other: EventFilter) -> EventFilter:
    """Return the filter for the events that two filters without a scope ask for."""
    starts = [each.start_timestamp for each in (one, other) if each.start_timestamp]
    ends = [each.end_timestamp for each in (one, other) if each.end_timestamp]
    return EventFilter(
        start_timestamp=max(starts, default=None),
        end_timestamp=min(ends, default=None),
        event_type=_shared(one.event_type, other.event_type),
        message_id=_shared(one.message_id, other.message_id),
        traits_filter=one.traits_filter + other.traits_filter,
    )


def _shared(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that are in both; no names are all of them."""
    if not some or not others:
        return some or others
    return tuple(name for name in some if name in others) or (NO_NAME,)
