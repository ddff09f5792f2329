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


class _DatabaseError(StorageError):
    """What a database, or the way to it, raised. Its text is that of its class, and may be shown to anybody.

    :param detail: what the database or its library said and where it is, in one line without SQL and passwords: for the
        log and the operator
    """

    TEXT = ""
    ADVICE = ""
    """What the operator can do."""

    def __init__(self, detail: str = ""):
        super().__init__(self.TEXT)
        self.cause = detail
        self.detail = " ".join(filter(None, (detail, self.ADVICE)))
        if self.detail:
            self.add_note(self.detail)


class StorageUnavailable(_DatabaseError):
    """The database cannot be reached or gave up; the same call may succeed later."""

    TEXT = "The database does not answer."


class StorageTimeout(StorageUnavailable):
    """The database, or the way to it, was silent for as long as the caller waits."""

    TEXT = "The database did not answer in time."


class QueryTimeout(StorageUnavailable):
    """The database works, and stopped a statement that took as long as it may."""

    TEXT = "The database needed more time than it is given."
    ADVICE = "See [api] query_timeout for reads, [database] statement_timeout for others."


class StorageFull(StorageUnavailable):
    """The database has no space left for what is to be stored."""

    TEXT = "The database has no space left."
    ADVICE = "Free some, or run panko-expirer."


class StorageReadOnly(StorageUnavailable):
    """The database takes no changes for now, as one that stands by for another."""

    TEXT = "The database takes no changes."
    ADVICE = "Connect to the server that does."


class StorageMisconfigured(_DatabaseError):
    """The database cannot be used as it is configured: to try again does not help."""

    TEXT = "The database cannot be used."


class AccessDenied(StorageMisconfigured):
    """The database does not let Panko in."""

    TEXT = "The database refuses the login."
    ADVICE = "Check user and password in [database] connection, and whether the server lets them in from this host."


class DatabaseMissing(StorageMisconfigured):
    """The server has no database of the name."""

    TEXT = "The server does not have the database."
    ADVICE = "Create it, or correct its name in [database] connection."


class PermissionDenied(StorageMisconfigured):
    """Panko's user may not do what Panko has to."""

    TEXT = "The database does not permit Panko's user to do this."
    ADVICE = "Grant its user all privileges on the database, or let the user own it."


class FileUnusable(StorageMisconfigured):
    """The file of the database is missing, damaged, another program's, or not to be written."""

    TEXT = "The file of the database cannot be used."
    ADVICE = (
        "It, and its directory, must be writable for the user that runs Panko; panko-dbsync creates both. "
        "A damaged file has to be restored from a backup."
    )


class StatementFailed(_DatabaseError):
    """The database refused a statement of Panko's, which is a fault of the program."""

    TEXT = "The database refused a statement."


class SchemaMismatch(StorageError):
    """The database's schema is not the one that this version of Panko works with."""


class SchemaMissing(SchemaMismatch):
    """The database is empty."""


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
