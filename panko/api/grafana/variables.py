# SPDX-License-Identifier: Apache-2.0
"""Variables: lists of names in the events, for variables of dashboards, the query builder and ad hoc filters."""

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from panko.api.filters import Selection
from panko.api.grafana.filters import TYPE_SEPARATOR, read_selection, split_key
from panko.api.grafana.frames import to_text
from panko.api.grafana.metrics import (
    EVENT_TYPE_FIELD,
    GROUP_BY_FIELD,
    METRICS,
    NO_GROUPS,
    PROJECT_FIELD,
    TRAITS_FIELD,
    Field,
)
from panko.api.grafana.request import JsonObject, TimeRange, expand_variable, read_range
from panko.api.grafana.targets import read_payload
from panko.policies import event_counts, events
from panko.policies import traits as trait_rules
from panko.storage.aggregates import BY_EVENT_TYPE, MAX_EXAMINED_EVENTS, MAX_GROUPS, PROJECT_ID, CountQuery
from panko.storage.base import Connection
from panko.storage.filters import EventFilter, Page
from panko.storage.models import TRAIT_TYPES_BY_DTYPE, TraitDescription, TraitType

MAX_EVENTS_FOR_TRAITS = 200
"""Number of the newest events whose traits are listed."""

MAX_TRAITS = 1000

MESSAGE_ID = "message_id"

_CALL = re.compile(r"\s*(\w+)\s*(?:\((.*)\)\s*)?", re.DOTALL)


class ListKind(enum.StrEnum):
    """The kinds of lists; the first three are those that a variable may name."""

    EVENT_TYPES = "event_types"
    PROJECTS = "projects"
    TRAIT_VALUES = "trait_values"
    TRAITS = "traits"
    GROUPS = "groups"


VARIABLES = (ListKind.EVENT_TYPES, ListKind.PROJECTS, ListKind.TRAIT_VALUES)

RULES: Mapping[ListKind, str] = {
    ListKind.EVENT_TYPES: event_counts.INDEX,
    ListKind.PROJECTS: trait_rules.VALUES,
    ListKind.TRAIT_VALUES: trait_rules.VALUES,
    ListKind.TRAITS: events.INDEX,
    ListKind.GROUPS: events.INDEX,
}
"""The policy rule that allows each list."""

_KINDS_BY_FIELD = {
    EVENT_TYPE_FIELD.name: ListKind.EVENT_TYPES,
    PROJECT_FIELD.name: ListKind.PROJECTS,
    TRAITS_FIELD.name: ListKind.TRAITS,
    GROUP_BY_FIELD.name: ListKind.GROUPS,
}


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A request for a list.

    :param selection: the events that the names are taken from
    :param trait_name: for trait values, the name of the trait
    :param trait_type: for trait values, the type of the values; None: all types
    """

    kind: ListKind
    selection: Selection
    trait_name: str = ""
    trait_type: TraitType | None = None

    @property
    def rule(self) -> str:
        """The policy rule that allows the list."""
        return RULES[self.kind]


def parse_variable(body: JsonObject) -> ListRequest:
    """Return the list that a variable requests, by an object with target, type and name, or by a text.

    :raises ClientSideError: if it is invalid
    """
    text = body.members.get("payload", body.members.get("target"))
    if isinstance(text, str) and not text.lstrip().startswith("{"):
        payload = JsonObject({"target": text}, "payload.")
    else:
        payload = read_payload(body)
    request = parse_list(payload.text("target"), payload, read_range(body.object("range")))
    if request is None:
        raise payload.error("target", "one of event_types, projects, trait_values(type, name)")
    return request


def parse_list(text: str, payload: JsonObject, times: TimeRange) -> ListRequest | None:
    """Return the list that a text such as ``trait_values(type, name)`` requests; None if the text has another form.

    :param payload: has type and name if the text does not, and what else the events have to meet
    :raises ClientSideError: if the name of the trait is missing
    """
    match = _CALL.fullmatch(text)
    if not match or match[1] not in VARIABLES:
        return None
    kind = ListKind(match[1])
    if kind is not ListKind.TRAIT_VALUES:
        return ListRequest(kind, read_selection(payload, times))
    # The name comes last, since the type may contain commas from a variable.
    *types, key = _split_arguments(match[2] or "") or [*payload.texts("type"), payload.text("name")]
    trait_type, name = split_key("".join(expand_variable(key, has_commas=True)))
    if not name:
        raise payload.error("name", "the name of a trait")
    selected = JsonObject({**payload.members, "event_type": [*types, *payload.texts("event_type")]}, payload.path)
    return ListRequest(kind, read_selection(selected, times), name, trait_type)


def _split_arguments(text: str) -> list[str]:
    arguments = [part.strip().strip("\"'") for part in text.rsplit(",", 1)]
    return arguments if any(arguments) else []


def parse_search(body: JsonObject) -> ListRequest | None:
    """Return the list that a target of SimpleJSON's requests; None if it requests none.

    :raises ClientSideError: if it is invalid
    """
    return parse_list(body.text("target"), JsonObject({}), TimeRange())


def parse_options(body: JsonObject) -> tuple[Field | None, ListRequest | None]:
    """Return the field whose options are requested, and the list of its options if they depend on the events.

    :raises ClientSideError: if there is no such field
    """
    metric = body.text("metric").strip()
    if not metric:
        return None, None
    if metric not in METRICS:
        raise body.error("metric", f"one of {', '.join(METRICS)}")
    fields = {field.name: field for field in METRICS[metric].fields}
    name = body.text("name")
    if name not in fields:
        raise body.error("name", f"one of {', '.join(fields)}")
    payload = read_payload(body)
    if name not in _KINDS_BY_FIELD:
        return fields[name], None
    # The field itself is about to change, and a filter may be incomplete.
    chosen = {
        each: payload.members.get(each) for each in (EVENT_TYPE_FIELD.name, PROJECT_ID, "all_tenants") if each != name
    }
    selection = read_selection(JsonObject(chosen, payload.path), TimeRange())
    return fields[name], ListRequest(_KINDS_BY_FIELD[name], selection)


def parse_tag(body: JsonObject) -> ListRequest | None:
    """Return the list of the values for the key of an ad hoc filter; None if there are too many to choose from.

    :raises ClientSideError: if the key is missing
    """
    key = body.text("key")
    if not key:
        raise body.error("key", "the key of a filter")
    if key == MESSAGE_ID:
        return None
    everything = read_selection(JsonObject({}), TimeRange())
    if key == EVENT_TYPE_FIELD.name:
        return ListRequest(ListKind.EVENT_TYPES, everything)
    trait_type, name = split_key(key)
    return ListRequest(ListKind.TRAIT_VALUES, everything, name, trait_type or TraitType.TEXT)


def make_tag_keys(traits: Iterable[TraitDescription]) -> list[tuple[str, str]]:
    """Return the keys of ad hoc filters, each with its type; the key of a trait starts with its type, unless string."""
    keys = [(EVENT_TYPE_FIELD.name, "string"), (MESSAGE_ID, "string"), (PROJECT_ID, "string")]
    for trait in traits:
        text = trait.name if trait.type is TraitType.TEXT else f"{trait.type.label}{TYPE_SEPARATOR}{trait.name}"
        keys.append((text, trait.type.label))
    return list(dict.fromkeys(keys))


def list_names(storage: Connection, request: ListRequest, event_filter: EventFilter) -> Sequence[str]:
    """Return the names of a list, from the events of a filter."""
    if request.kind is ListKind.EVENT_TYPES:
        return list_event_types(storage, event_filter)
    if request.kind is ListKind.PROJECTS:
        return sorted(list_trait_values(storage, PROJECT_ID, event_filter, TraitType.TEXT))
    if request.kind is ListKind.TRAIT_VALUES:
        return list_trait_values(storage, request.trait_name, event_filter, request.trait_type)
    traits = list_traits(storage, event_filter)
    if request.kind is ListKind.TRAITS:
        return list(dict.fromkeys(trait.name for trait in traits))
    strings = (trait.name for trait in traits if trait.type is TraitType.TEXT)
    return list(dict.fromkeys((NO_GROUPS, BY_EVENT_TYPE, PROJECT_ID, *strings)))


def list_event_types(storage: Connection, event_filter: EventFilter) -> list[str]:
    """Return the types of the selected events, sorted; if there are too many, those with the most events."""
    if event_filter == EventFilter(scope=event_filter.scope):
        return list(storage.get_event_types(event_filter.scope))
    counts = storage.count_events(event_filter, CountQuery(group_by=BY_EVENT_TYPE, limit=MAX_GROUPS))
    return sorted(count.group for count in counts if count.group is not None)


def list_trait_values(
    storage: Connection, name: str, event_filter: EventFilter, trait_type: TraitType | None = None
) -> list[str]:
    """Return the values of a trait in the newest selected events, the most frequent first.

    :param trait_type: type of the values; None: all types
    """
    values = storage.get_trait_values(name, event_filter, MAX_EXAMINED_EVENTS).values
    return list(dict.fromkeys(to_text(each.type, each.value) for each in values if trait_type in (None, each.type)))


def list_traits(storage: Connection, event_filter: EventFilter) -> list[TraitDescription]:
    """Return name and type of the traits of the newest selected events, sorted by both."""
    newest = storage.get_events(event_filter, Page(MAX_EVENTS_FOR_TRAITS, sort=(("generated", "desc"),)))
    found = {(trait.name, TRAIT_TYPES_BY_DTYPE[trait.dtype]) for event in newest for trait in event.traits}
    return [TraitDescription(*each) for each in sorted(found)[:MAX_TRAITS]]
