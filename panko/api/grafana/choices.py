# SPDX-License-Identifier: Apache-2.0
"""What a user can choose from, as it is in the events that they see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from panko.api.grafana.cells import to_text
from panko.api.grafana.metrics import NO_GROUPS
from panko.api.grafana.selections import Selection
from panko.policies import event_counts, events
from panko.policies import traits as trait_rules
from panko.storage.aggregates import BY_EVENT_TYPE, MAX_EVENTS_LOOKED_INTO, MAX_GROUPS, PROJECT_ID, CountQuery
from panko.storage.base import Connection
from panko.storage.filters import EventFilter, Page, Scope
from panko.storage.models import TraitDescription, TraitType

EVENT_TYPES = "event_types"
PROJECTS = "projects"
TRAIT_VALUES = "trait_values"
TRAITS = "traits"
GROUPS = "groups"

RULES: Mapping[str, str] = {
    EVENT_TYPES: event_counts.INDEX,
    PROJECTS: trait_rules.VALUES,
    TRAIT_VALUES: trait_rules.VALUES,
    TRAITS: events.INDEX,
    GROUPS: events.INDEX,
}
"""The lists that there are, and the rule that lets a caller see each."""

NEWEST_EVENTS = 200
"""Events that are looked into for the names of traits."""

MOST_NAMES = 1000
"""Names of traits that there are to choose from."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list to choose from.

    :param kind: one of :data:`RULES`
    :param selection: the events that it is made of
    :param name: name of the trait whose values are listed
    :param type: only values of this type are
    """

    kind: str
    selection: Selection
    name: str = ""
    type: TraitType | None = None

    @property
    def rule(self) -> str:
        """The rule that lets a caller see the list."""
        return RULES[self.kind]


def members_of(storage: Connection, listing: Listing, scope: Scope) -> Sequence[str]:
    """Return the members of a list, made of the events of a scope."""
    event_filter = listing.selection.seen_in(scope)
    if listing.kind == EVENT_TYPES:
        return event_types(storage, event_filter)
    if listing.kind == PROJECTS:
        return sorted(trait_values(storage, PROJECT_ID, event_filter, TraitType.TEXT))
    if listing.kind == TRAIT_VALUES:
        return trait_values(storage, listing.name, event_filter, listing.type)
    found = traits(storage, event_filter)
    if listing.kind == TRAITS:
        return list(dict.fromkeys(trait.name for trait in found))
    strings = (trait.name for trait in found if trait.type is TraitType.TEXT)
    return list(dict.fromkeys((NO_GROUPS, BY_EVENT_TYPE, PROJECT_ID, *strings)))


def event_types(storage: Connection, event_filter: EventFilter) -> list[str]:
    """Return the types of the events that a filter asks for, sorted; of very many those with the most events."""
    if event_filter == EventFilter(scope=event_filter.scope):
        return list(storage.get_event_types(event_filter.scope))
    counts = storage.count_events(event_filter, CountQuery(group_by=BY_EVENT_TYPE, limit=MAX_GROUPS))
    return sorted(count.group for count in counts if count.group is not None)


def trait_values(storage: Connection, name: str, event_filter: EventFilter, kind: TraitType | None = None) -> list[str]:
    """Return the values that a trait has in the newest events that a filter asks for, the most frequent first.

    :param kind: only values of this type
    """
    found = storage.get_trait_values(name, event_filter, MAX_EVENTS_LOOKED_INTO).values
    return list(dict.fromkeys(to_text(each.type, each.value) for each in found if kind in (None, each.type)))


def traits(storage: Connection, event_filter: EventFilter) -> list[TraitDescription]:
    """Return name and type of the traits of the newest events that a filter asks for, by name, then by type."""
    newest = storage.get_events(event_filter, Page(NEWEST_EVENTS, sort=(("generated", "desc"),)))
    found = {(trait.name, TraitType(trait.dtype)) for event in newest for trait in event.traits}
    return [TraitDescription(*each) for each in sorted(found)[:MOST_NAMES]]
