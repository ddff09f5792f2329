# SPDX-License-Identifier: Apache-2.0
"""The lists that a dashboard's variables, the query builder and ad hoc filters let a user choose from."""

import re
from collections.abc import Iterable

from panko.api.grafana import metrics
from panko.api.grafana.choices import EVENT_TYPES, GROUPS, PROJECTS, TRAIT_VALUES, TRAITS, Listing
from panko.api.grafana.conditions import TYPED, split_key
from panko.api.grafana.members import Members, expand
from panko.api.grafana.queries import payload_of
from panko.api.grafana.selections import selection_of
from panko.api.grafana.times import Range, range_of
from panko.storage.aggregates import BY_EVENT_TYPE, PROJECT_ID
from panko.storage.models import TraitDescription, TraitType

MESSAGE_ID = "message_id"

_CALL = re.compile(r"\s*(\w+)\s*(?:\((.*)\)\s*)?", re.DOTALL)


def parse_variable(body: Members) -> Listing:
    """Return the list that a variable is made of: an object with target, type and name, or its text.

    :raises ClientSideError: where it cannot be read
    """
    text = body.given.get("payload", body.given.get("target"))
    if isinstance(text, str) and not text.lstrip().startswith("{"):
        payload = Members({"target": text}, "payload.")
    else:
        payload = payload_of(body)
    listing = parse_listing(payload.text("target"), payload, range_of(body))
    if listing is None:
        raise payload.wrong("target", f"one of {EVENT_TYPES}, {PROJECTS}, {TRAIT_VALUES}(type, name)")
    return listing


def parse_listing(text: str, payload: Members, span: Range) -> Listing | None:
    """Return the list that a text such as ``trait_values(type, name)`` names; None where it names none.

    :param payload: where type and name stand, if not in the text, and what else the events are to meet
    :raises ClientSideError: where the name of the trait is missing
    """
    match = _CALL.fullmatch(text)
    if not match or match[1] not in (EVENT_TYPES, PROJECTS, TRAIT_VALUES):
        return None
    if match[1] != TRAIT_VALUES:
        return Listing(match[1], selection_of(payload, span))
    # The name comes last: a variable can put commas into the type.
    *types, name = _arguments(match[2]) or [*payload.texts("type"), payload.text("name")]
    kind, name = split_key("".join(expand(name)))
    if not name:
        raise payload.wrong("name", "the name of a trait")
    selected = Members({**payload.given, "event_type": [*types, *payload.texts("event_type")]}, payload.path)
    return Listing(TRAIT_VALUES, selection_of(selected, span), name, kind)


def _arguments(text: str | None) -> list[str]:
    given = [part.strip().strip("\"'") for part in (text or "").rsplit(",", 1)]
    return given if any(given) else []


def parse_options(body: Members) -> tuple[metrics.Field | None, Listing | None]:
    """Return the field of a payload whose options are asked for, and the list that they are, if data makes them.

    :raises ClientSideError: where there is no such field
    """
    metric = body.text("metric").strip()
    if not metric:
        return None, None
    if metric not in metrics.METRICS:
        raise body.wrong("metric", f"one of {', '.join(metrics.METRICS)}")
    fields = {field.name: field for field in metrics.METRICS[metric].fields}
    name = body.text("name")
    if name not in fields:
        raise body.wrong("name", f"one of {', '.join(fields)}")
    kind = _OF_FIELDS.get(name)
    payload = payload_of(body)
    # The field itself is being chosen, and a filter may be half written.
    chosen = {each: payload.given.get(each) for each in (BY_EVENT_TYPE, PROJECT_ID, "all_tenants") if each != name}
    return fields[name], kind and Listing(kind, selection_of(Members(chosen, payload.path), Range()))


_OF_FIELDS = {
    metrics.EVENT_TYPE.name: EVENT_TYPES,
    metrics.PROJECT.name: PROJECTS,
    metrics.TRAITS.name: TRAITS,
    metrics.GROUP_BY.name: GROUPS,
}


def parse_tag(body: Members) -> Listing | None:
    """Return the list of the values of an ad hoc filter's key; None where they are too many to choose from.

    :raises ClientSideError: where there is no key
    """
    key = body.text("key")
    if not key:
        raise body.wrong("key", "the key of a filter")
    if key == MESSAGE_ID:
        return None
    nothing = selection_of(Members({}), Range())
    if key == BY_EVENT_TYPE:
        return Listing(EVENT_TYPES, nothing)
    kind, name = split_key(key)
    return Listing(TRAIT_VALUES, nothing, name, kind or TraitType.TEXT)


def tag_keys(found: Iterable[TraitDescription]) -> list[tuple[str, str]]:
    """Return name and type of what ad hoc filters can be on; the type stands before the name where it is no string."""
    keys = [(BY_EVENT_TYPE, "string"), (MESSAGE_ID, "string"), (PROJECT_ID, "string")]
    for trait in found:
        text = trait.name if trait.type is TraitType.TEXT else f"{trait.type.label}{TYPED}{trait.name}"
        keys.append((text, trait.type.label))
    return list(dict.fromkeys(keys))


def parse_search(body: Members) -> Listing | None:
    """Return the list that a target of SimpleJSON's names; None where it names none.

    :raises ClientSideError: where it cannot be read
    """
    return parse_listing(body.text("target"), Members({}), Range())
