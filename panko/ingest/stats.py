# SPDX-License-Identifier: Apache-2.0
"""Statistics of the collector: events stored, duplicates, and events refused by reason."""

import collections
import re
import threading

_REASONS = (
    (r"it is not a JSON object|it is not an event|it is (an?|the) ", "not an event"),
    (r"it has no message_id", "no message_id"),
    (r"its message_id", "bad message_id"),
    (r"it has no event_type", "no event_type"),
    (r"its event_type", "bad event_type"),
    (r"it has no generated|its generated|its time of generation", "unreadable time"),
    (r"trait .* has the unknown dtype", "unknown dtype"),
    (r"trait |a trait |its traits|it has no trait name|its trait name", "bad trait"),
    (r"its raw notification", "bad raw notification"),
    (r"its \d+ bytes as SQL", "too large"),
    (r"the database refused it", "refused by the database"),
    (r"it is nested too deeply", "nested too deeply"),
)
_OTHER = "other"


def reason_of(text: str) -> str:
    """Return the reason of a refusal in a few words, without any content of the event.

    :param text: text of an :class:`~panko.storage.errors.InvalidEvent`
    """
    return next((reason for pattern, reason in _REASONS if re.match(pattern, text, re.DOTALL)), _OTHER)


class Stats:
    """Counts since the process started; threads may share it."""

    def __init__(self) -> None:
        self.stored = 0
        self.duplicates = 0
        self.refused: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        self._reported = ""

    def add(self, stored: int, duplicates: int) -> None:
        """Add the result of a call to storage."""
        with self._lock:
            self.stored += stored
            self.duplicates += duplicates

    def add_refused(self, reason: str) -> None:
        """Add one refused event, or one refused message."""
        with self._lock:
            self.refused[reason] += 1

    def __str__(self) -> str:
        with self._lock:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in self.refused.most_common())
            refused = f"{self.refused.total()} refused{f' ({reasons})' if reasons else ''}"
            return f"{self.stored} events stored, {self.duplicates} duplicates, {refused}"

    def take_report(self) -> str | None:
        """Return the counts as text; None if nothing has changed since the last report."""
        text = str(self)
        if text == self._reported or not (self.stored or self.duplicates or self.refused):
            return None
        self._reported = text
        return text
