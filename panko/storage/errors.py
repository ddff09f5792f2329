# SPDX-License-Identifier: Apache-2.0
"""What storage raises; nothing here knows HTTP or SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_REPEATED = 200
"""Characters of what was sent that an error text repeats at most."""


def excerpt(value: Any, length: int = MAX_REPEATED) -> str:
    """Return a value as text, cut off so that an error text may repeat it."""
    text = str(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


class StorageError(Exception):
    """The base of all that storage raises on purpose.

    ``detail`` is what the log and the operator may know beyond the text, without SQL and passwords.
    """

    detail = ""


class UnknownDriver(StorageError):
    """The connection URL names a driver that is not installed, or that this version of Panko cannot use."""


class StorageUnavailable(StorageError):
    """The database cannot be reached or gave up; the same call may succeed later.

    Its text may be shown to anybody.

    :param detail: what the database or its driver said, in one line without SQL and passwords: for the log
    """

    def __init__(self, detail: str = ""):
        super().__init__("The database does not answer.")
        self.detail = detail
        if detail:
            self.add_note(detail)


class SchemaMismatch(StorageError):
    """The database's schema is not the one that this version of Panko works with."""


class NotSupported(StorageError):
    """The driver cannot answer such a question at all.

    :param capability: name that its capabilities have for it
    """

    def __init__(self, capability: str):
        super().__init__(f"The storage driver has no {capability}: see its capabilities.")


class InvalidMarker(StorageError):
    """The marker names no event that the caller can see.

    :param marker: message_id that was given as the marker
    """

    def __init__(self, marker: str):
        super().__init__(f"Marker {excerpt(marker)} not found.")
        self.marker = marker


class InvalidFilter(StorageError, ValueError):
    """A filter, sort order or page that no driver could answer."""


class InvalidEvent(StorageError, ValueError):
    """An event that cannot be stored as it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One event that was not stored, and why."""

    event: Any
    reason: str


class EventsRefused(StorageError):
    """Some events of a call were not stored, and never will be as they are; the others were.

    The text is one line for a log: it names the first of them, and leaves out what a reason repeats of the event after
    a colon.

    :param refusals: the events that were refused, each with its reason
    :param stored: number of events of the same call that were stored
    :param duplicates: number of events of the same call that were there already
    """

    def __init__(self, refusals: Sequence[Refusal], stored: int, duplicates: int):
        first = refusals[0]
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        message_id = getattr(first.event, "message_id", None)
        reason = " ".join(first.reason.partition(": ")[0].split())
        super().__init__(f"event {message_id!a} was not stored: {reason}{more}")
        self.refusals = tuple(refusals)
        self.stored = stored
        self.duplicates = duplicates
