# SPDX-License-Identifier: Apache-2.0
"""One event with all its details, and links to what is related to it."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from panko.explorer.search import MAX_FILTER_CHARACTERS, Search
from panko.explorer.views.raw import RawText, indent
from panko.filter_language import write_comparison
from panko.storage.models import TRAIT_TYPES_BY_LABEL
from panko.storage.serialization import find_raw, parse_without_raw

MAX_VALUE_CHARACTERS = 200
"""A longer value is folded."""

MAX_SHOWN_TRAITS = 1000
"""How many traits a page shows: each has three links, which repeat the page's URL."""

REQUEST_TRAITS = ("request_id", "global_request_id")
RESOURCE_TRAITS = (
    *("resource_id", "instance_id", "server_id", "volume_id", "snapshot_id", "backup_id", "image_id", "network_id"),
    *("port_id", "router_id", "subnet_id", "floatingip_id", "security_group_id", "loadbalancer_id", "stack_id"),
    *("target_id", "domain_id", "role_id"),
)
USER_TRAITS = ("user_id", "initiator_id")
HOST_TRAITS = ("host", "hostname", "node", "service")
"""Names of traits from which links are made; of the last, that of the first one that the event has."""

AROUND = {"5 minutes": 5, "1 hour": 60}


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a page of events.

    :param text: what these have in common with the event
    """

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class FilterLinks:
    """The links that make a filter of a name and a value; None: it would be too long.

    :param only: adds the filter to the page's
    :param without: adds the opposite
    """

    only: str | None
    without: str | None


@dataclass(frozen=True, slots=True)
class TraitView:
    """A trait.

    :param excerpt: the beginning of a long value; empty: it is not long
    :param column: URL of the page with its column; None: it has one
    """

    name: str
    type: str
    value: str
    excerpt: str
    links: FilterLinks
    column: str | None


@dataclass(frozen=True, slots=True)
class EventView:
    """An event.

    :param generated: its time, as ISO 8601 in UTC without a zone
    :param type_links: those of its event type
    :param traits: at most :data:`MAX_SHOWN_TRAITS`, by name
    :param more_traits: how many others it has
    :param related: links to related events
    :param around: links to what happened around it
    :param whole: URL of the event as a line of JSON
    :param api_path: the event's path in the API
    """

    message_id: str
    event_type: str
    generated: str
    type_links: FilterLinks
    traits: tuple[TraitView, ...]
    more_traits: int
    related: tuple[Link, ...]
    around: tuple[Link, ...]
    raw: RawText
    whole: str
    api_path: str


def make_event(document: bytes, search: Search) -> EventView:
    """Return what a page shows of an event.

    :param document: the event as the JSON object that the API returns
    :param search: the page to which the links add something
    """
    event = parse_without_raw(document)
    message_id, traits = event["message_id"], sorted(event["traits"], key=lambda trait: trait["name"])
    time = datetime.datetime.fromisoformat(event["generated"])
    by_name = {trait["name"]: trait for trait in reversed(traits)}
    around = [Link(f"± {text}", search.around(time, minutes, message_id)) for text, minutes in AROUND.items()]
    for name in [name for name in HOST_TRAITS if name in by_name][:1]:
        if filter_text := write_filter(by_name[name]):
            url = search.around(time, AROUND["5 minutes"], message_id, [filter_text])
            around.append(Link(f"on the same {name} ± 5 minutes", url))
    of_itself = write_comparison("message_id", message_id, is_trait=False)
    return EventView(
        message_id,
        event["event_type"],
        event["generated"],
        _make_links(search, write_comparison("event_type", event["event_type"], is_trait=False)),
        tuple([_make_trait(trait, search) for trait in traits[:MAX_SHOWN_TRAITS]]),
        max(len(traits) - MAX_SHOWN_TRAITS, 0),
        tuple(_find_related(by_name, search, message_id)),
        tuple(around),
        indent(find_raw(document)),
        Search(filter=(of_itself,), range="all").url("/export", format="jsonl"),
        f"/v2/events/{quote(message_id, safe='')}",
    )


def write_filter(trait: Mapping[str, str]) -> str:
    """Return the filter for the events that have a trait; empty if it would be too long."""
    text = write_comparison(trait["name"], trait["value"], TRAIT_TYPES_BY_LABEL[trait["type"]])
    return text if len(text) <= MAX_FILTER_CHARACTERS else ""


def _make_trait(trait: Mapping[str, str], search: Search) -> TraitView:
    name, value = trait["name"], trait["value"]
    return TraitView(
        name,
        trait["type"],
        value,
        value[:MAX_VALUE_CHARACTERS] if len(value) > MAX_VALUE_CHARACTERS else "",
        _make_links(search, write_filter(trait)),
        None if name in search.column else search.with_column(name),
    )


def _make_links(search: Search, text: str) -> FilterLinks:
    return FilterLinks(search.add(text), search.add(f"NOT {text}")) if text else FilterLinks(None, None)


def _find_related(by_name: Mapping[str, Mapping[str, str]], search: Search, message_id: str) -> Iterator[Link]:
    """Yield the links to events with the same request, resource or user; one for each different value."""
    seen = set()
    for kind, names in (("request", REQUEST_TRAITS), ("resource", RESOURCE_TRAITS), ("user", USER_TRAITS)):
        for name in names:
            trait = by_name.get(name)
            if trait is None or not trait["value"] or (kind, trait["value"]) in seen:
                continue
            seen.add((kind, trait["value"]))
            if text := write_filter(trait):
                is_first = name == names[0]
                yield Link(f"same {kind}" if is_first else f"same {name}", search.alone(text, message_id))
