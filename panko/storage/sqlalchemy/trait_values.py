# SPDX-License-Identifier: Apache-2.0
"""The values of a trait among some events."""

from collections.abc import Iterable

from panko.storage.aggregates import TraitValue
from panko.storage.models import TraitType
from panko.storage.sqlalchemy.event_reader import FoundEvent
from panko.storage.sqlalchemy.shapes import unescape
from panko.storage.sqlalchemy.types import from_microseconds


def summarize(found: Iterable[FoundEvent], name: str) -> tuple[tuple[TraitValue, ...], int]:
    """Return the distinct values of a trait, ordered as in :class:`~panko.storage.aggregates.TraitValues`.

    :param found: events, the newest first
    :returns: the values, and the number of events
    """
    counts: dict[tuple[TraitType, str], list] = {}
    events = 0
    for shape, _, generated, values, _ in found:
        events += 1
        places = shape.positions_by_name.get(name, ())
        written = [(shape.traits[place][1], values[place]) for place in places]
        # An event has a value once, or not.
        for each in written if len(written) < 2 else dict.fromkeys(written):
            if each in counts:
                counts[each][0] += 1
            else:
                counts[each] = [1, from_microseconds(generated)]
    found_values = [
        TraitValue(type_.parse(unescape(value)), type_, count, last) for (type_, value), (count, last) in counts.items()
    ]
    found_values.sort(key=lambda each: (each.type, each.value))
    found_values.sort(key=lambda each: (each.count, each.last), reverse=True)
    return tuple(found_values), events
