# SPDX-License-Identifier: Apache-2.0
"""What a call of ``record_events`` brings: events that can be stored, duplicates of these, and what is refused."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from panko.storage.base import Recorded
from panko.storage.errors import EventsRefused, InvalidEvent, Refusal
from panko.storage.models import CheckedEvent, checked_event


class Sifting:
    """Goes through the events of one call, and counts what is not to be stored.

    :param check: raises InvalidEvent where the driver cannot store a checked event
    """

    def __init__(self, check: Callable[[CheckedEvent], None] = lambda event: None):
        self._check = check
        self.duplicates = 0
        self.refusals: list[Refusal] = []

    def sift(self, events: Iterable[Any]) -> Iterator[tuple[Any, CheckedEvent]]:
        """Yield each event that is to be stored, as it was given and as it will be stored.

        Of several with one message_id it is the first that can be stored; the others are duplicates.
        """
        seen: set[str] = set()
        for event in events:
            try:
                checked = checked_event(event)
                self._check(checked)
            except InvalidEvent as error:
                self.refusals.append(Refusal(event, str(error)))
                continue
            if checked.message_id in seen:
                self.duplicates += 1
                continue
            seen.add(checked.message_id)
            yield event, checked

    def outcome(self, stored: int) -> Recorded:
        """Return what the call returns.

        :param stored: how many of the events were stored
        :raises EventsRefused: where some were refused
        """
        if self.refusals:
            raise EventsRefused(self.refusals, stored, self.duplicates)
        return Recorded(stored, self.duplicates)
