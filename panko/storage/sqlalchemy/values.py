# SPDX-License-Identifier: Apache-2.0
"""The values of a trait, from the rows of the events that are looked into."""

from collections.abc import Iterable, Iterator, Sequence

from panko.storage.documents import TraitFinder, parse_found
from panko.storage.models import TraitType
from panko.storage.sqlalchemy.types import from_microseconds
from panko.storage.summaries import TraitValue


def summarize(rows: Iterable[Sequence], name: str) -> tuple[tuple[TraitValue, ...], int]:
    """Return the distinct values of a trait, ordered as in :class:`~panko.storage.summaries.TraitValues`.

    :param rows: message_id, event_type_id, generated and traits of events, the newest first
    :returns: the values, and the number of events
    """
    find = TraitFinder(name).find
    counts: dict[tuple[str, str], list] = {}
    events = 0
    for _, _, generated, document in rows:
        events += 1
        written = find(document)
        # An event has a value once, or not.
        for found in written if len(written) < 2 else dict.fromkeys(written):
            if found in counts:
                counts[found][0] += 1
            else:
                counts[found] = [1, from_microseconds(generated)]
    values = [_trait_value(*found, *count) for found, count in counts.items()]
    values.sort(key=lambda each: (each.type, each.value))
    values.sort(key=lambda each: (each.count, each.last), reverse=True)
    return tuple(values), events


def _trait_value(written, label, count, last):
    type_, value = parse_found(written, label)
    return TraitValue(value, type_, count, last)


def texts_of(document: str, name: str) -> Iterator[str]:
    """Yield the strings among an event's traits of a name, in their order.

    :param document: the event's traits
    """
    for found in TraitFinder(name).find(document):
        type_, value = parse_found(*found)
        if type_ is TraitType.TEXT:
            yield value
