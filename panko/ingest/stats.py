# SPDX-License-Identifier: Apache-2.0
"""How many events were stored, were there already, or were refused for which reason."""

import collections
import re
import threading

_REASONS = (
    (r"it is no JSON object|it is no event", "not an event"),
    (r"it has no message_id", "no message_id"),
    (r"its message_id", "bad message_id"),
    (r"it has no event_type", "no event_type"),
    (r"its event_type", "bad event_type"),
    (r"it has no generated|its generated|its time of generation", "unreadable time"),
    (r"trait .* has the unknown dtype", "unknown dtype"),
    (r"its raw notification", "bad raw notification"),
)
_OTHER = "bad trait"


def reason_of(text: str) -> str:
    """Return the kind of a refusal, of which there are few, and which shows nothing of the event.

    :param text: what :class:`~panko.storage.errors.InvalidEvent` says
    """
    return next((reason for pattern, reason in _REASONS if re.match(pattern, text, re.DOTALL)), _OTHER)


class Tally:
    """Counts since the process began; threads may share it."""

    def __init__(self):
        self.stored = 0
        self.duplicates = 0
        self.refused: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        self._told = ""

    def add(self, stored: int, duplicates: int) -> None:
        """Count what a call to storage did."""
        with self._lock:
            self.stored += stored
            self.duplicates += duplicates

    def refuse(self, reason: str) -> None:
        """Count an event, or a whole message, that was refused."""
        with self._lock:
            self.refused[reason] += 1

    def __str__(self):
        with self._lock:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in self.refused.most_common())
            refused = f"{self.refused.total()} refused{f' ({reasons})' if reasons else ''}"
            return f"{self.stored} events stored, {self.duplicates} duplicates, {refused}"

    def news(self) -> str | None:
        """Return the counts as a text, or None where they are what was returned the last time."""
        text = str(self)
        if text == self._told or not (self.stored or self.duplicates or self.refused):
            return None
        self._told = text
        return text
