# SPDX-License-Identifier: Apache-2.0
"""Regions: two events that are the beginning and the end of one annotation."""

from collections.abc import Iterable
from dataclasses import dataclass

from panko.api.grafana.request import JsonObject
from panko.storage.models import Event, TraitType

DEFAULT_REGION_TRAIT = "request_id"
MAX_ENDS = 10


@dataclass(frozen=True, slots=True)
class Region:
    """Which events begin and end a region: those whose types differ only in the suffix.

    :param start: suffix of the type of an event that begins one
    :param ends: suffixes of the types of events that end it
    :param trait: name of a string trait, which has the same value in both events
    """

    start: str
    ends: tuple[str, ...]
    trait: str

    def pair(self, events: Iterable[Event]) -> list[tuple[Event, Event | None]]:
        """Return each event with the one that ends its region, in the order of the events.

        The end of a region is no member of its own. An event that begins none, or whose end is not among the events,
        has None. If several regions are open, an event ends the one that began last.
        """
        given = list(events)
        begun: dict[tuple[str, str], list[Event]] = {}
        ends: dict[int, Event] = {}
        ended = set()
        for event in sorted(given, key=lambda each: each.generated):
            value = next((t.value for t in event.traits if t.name == self.trait and t.dtype == TraitType.TEXT), None)
            if value is None:
                continue
            end = next((suffix for suffix in self.ends if event.event_type.endswith(suffix)), None)
            if event.event_type.endswith(self.start):
                begun.setdefault((event.event_type.removesuffix(self.start), value), []).append(event)
            elif end is not None and (open_ := begun.get((event.event_type.removesuffix(end), value))):
                ends[id(open_.pop())] = event
                ended.add(id(event))
        return [(event, ends.get(id(event))) for event in given if id(event) not in ended]


def read_region(payload: JsonObject) -> Region | None:
    """Return which annotations of a payload have an end; None: none.

    :raises ClientSideError: if it is invalid
    """
    suffixes = [suffix for text in payload.texts("region") for suffix in text.replace(",", " ").split()]
    if not suffixes:
        return None
    start, *ends = suffixes
    if not 1 <= len(ends) <= MAX_ENDS or len(set(suffixes)) != len(suffixes):
        raise payload.error("region", "the end of the types that begin a region, and those that end it (.start .end),")
    return Region(start, tuple(ends), payload.text("region_by").strip() or DEFAULT_REGION_TRAIT)
