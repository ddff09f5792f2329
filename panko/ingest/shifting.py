# SPDX-License-Identifier: Apache-2.0
"""Events moved in time, so that samples look recent."""

import datetime
from dataclasses import replace

from panko.storage.errors import InvalidEvent
from panko.storage.models import Trait, TraitType
from panko.storage.validation import CheckedEvent


def shift_event(event: CheckedEvent, shift: datetime.timedelta) -> CheckedEvent:
    """Return an event with its time of generation, and all its traits that are times, moved by ``shift``.

    The raw notification stays as it is.

    :raises InvalidEvent: where a time would leave the years 1 to 9999
    """
    if not shift:
        return event
    try:
        return replace(
            event,
            generated=event.generated + shift,
            traits=tuple(_shift_trait(trait, shift) for trait in event.traits),
        )
    except OverflowError as error:
        raise InvalidEvent(f"its times cannot be moved by {shift}: {error}") from error


def _shift_trait(trait: Trait, shift: datetime.timedelta) -> Trait:
    return trait._replace(value=trait.value + shift) if trait.dtype == TraitType.DATETIME else trait
