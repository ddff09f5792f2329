# SPDX-License-Identifier: Apache-2.0
"""Events for the checks that are not in the event set, with names that only they have."""

import datetime
from collections.abc import Iterator
from typing import Any

from benchmarks import dataset

NAMES = 10
"""Number of trait names of expiring events; half of them belong to event types that expire too."""

SHAPED_TYPES = 100
"""Number of event types of events with many shapes."""

BUSY_SHAPED_TYPE = "shaped.000"


def expiring(count: int) -> Iterator[Any]:
    """Yield events older than the event set, with traits that it does not have.

    Half of them are of event types of their own. The others are of the set's busiest one: whether an event still has
    such a trait must be looked up among all events of that type.
    """
    start = dataset.START - datetime.timedelta(seconds=count + 1)
    for number, event in enumerate(dataset.events(count, seed=2025, start=start)):
        name = f"expiring.{number % NAMES}"
        yield _changed(event, name if number % 2 else dataset.TYPES[0], name)


def shaped(count: int) -> Iterator[Any]:
    """Yield events with different shapes: no two have the same event type and the same trait names."""
    for number, event in enumerate(dataset.events(count, seed=100)):
        yield _changed(event, f"shaped.{number % SHAPED_TYPES:03d}", f"trait.{number // SHAPED_TYPES:03d}")


def _changed(event: Any, event_type: str, trait_name: str) -> Any:
    from panko.storage import models

    traits = [*event.traits, models.Trait(trait_name, models.Trait.TEXT_TYPE, "odd")]
    return models.Event(event.message_id, event_type, event.generated, traits, event.raw)
