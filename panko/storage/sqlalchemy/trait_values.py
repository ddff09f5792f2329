# SPDX-License-Identifier: Apache-2.0
"""The distinct values of a trait among some events."""

from collections.abc import Iterable

from panko.storage.aggregates import TraitValue, TraitValues
from panko.storage.models import TraitType
from panko.storage.sqlalchemy.event_reader import FoundEvent
from panko.storage.sqlalchemy.shapes import unescape
from panko.storage.sqlalchemy.types import from_microseconds


def summarize(found: Iterable[FoundEvent], name: str, max_events: int) -> TraitValues:
    """Return the distinct values of a trait.

    :param found: events, the newest first
    :param max_events: number of events at which the caller stopped reading
    """
    counts: dict[tuple[TraitType, str], int] = {}
    newest: dict[tuple[TraitType, str], int] = {}
    events = 0
    for shape, _, generated, values, _ in found:
        events += 1
        positions = shape.positions_by_name.get(name, ())
        written = [(shape.traits[position][1], values[position]) for position in positions]
        # Count a value once for each event that has it.
        for each in written if len(written) < 2 else dict.fromkeys(written):
            counts[each] = counts.get(each, 0) + 1
            newest.setdefault(each, generated)
    found_values = [
        TraitValue(type_.parse(unescape(value)), type_, count, from_microseconds(newest[type_, value]))
        for (type_, value), count in counts.items()
    ]
    found_values.sort(key=lambda each: (each.type, each.value))
    found_values.sort(key=lambda each: (each.count, each.last), reverse=True)
    return TraitValues(tuple(found_values), events, complete=events < max_events)
