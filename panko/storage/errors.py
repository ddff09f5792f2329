# SPDX-License-Identifier: Apache-2.0
"""Errors of the storage, independent of HTTP and SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_REPEATED = 200
"""Maximum number of characters of a given value that an error text repeats."""


def excerpt(value: Any, length: int = MAX_REPEATED) -> str:
    """Return a value as text, truncated for an error text: for what users wrote, such as an argument or a reason."""
    text = str(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


class StorageError(Exception):
    """Base class of the storage's errors."""

    detail = ""
    """More for the log and the operator, without SQL and passwords."""


class UnknownDriver(StorageError):
    """The driver named by the connection URL is not installed, or this version of Panko cannot use it."""


class _DatabaseError(StorageError):
    """An error of a database or the connection to it. The text depends only on the class, so anybody may see it.

    :param detail: message of the database or its client library, and the database's address, for the log and the
        operator: one line without SQL and passwords
    """

    TEXT = ""
    ADVICE = ""
    """What the operator can do about it."""

    def __init__(self, detail: str = ""):
        super().__init__(self.TEXT)
        self.detail = " ".join(filter(None, (detail, self.ADVICE)))
        if self.detail:
            self.add_note(self.detail)


class StorageUnavailable(_DatabaseError):
    """The database is unreachable or gave up; the same call may succeed later."""

    TEXT = "The database does not answer."


class StorageTimeout(StorageUnavailable):
    """The database or the network did not respond within the timeout."""

    TEXT = "The database did not answer in time."


class QueryTimeout(StorageUnavailable):
    """The database responds, but stopped a statement at its timeout."""

    TEXT = "The database stopped a statement at its timeout."
    ADVICE = "The timeouts are [api] query_timeout for reads and [database] statement_timeout for other statements."


class StorageFull(StorageUnavailable):
    """The database has no space left."""

    TEXT = "The database has no space left."
    ADVICE = "Free some space, or run panko-expirer."


class StorageReadOnly(StorageUnavailable):
    """The database accepts no changes now, for example because it is a standby server."""

    TEXT = "The database is read-only."
    ADVICE = "Set [database] connection to the primary server."


class StorageMisconfigured(_DatabaseError):
    """The database cannot be used as it is configured; retrying does not help."""

    TEXT = "The database cannot be used."


class AccessDenied(StorageMisconfigured):
    """The database refuses the login."""

    TEXT = "The database refuses the login."
    ADVICE = (
        "Check user and password in [database] connection, and whether the server allows this login from this host."
    )


class DatabaseMissing(StorageMisconfigured):
    """The server has no database with the configured name."""

    TEXT = "The server does not have the database."
    ADVICE = "Create it, or correct its name in [database] connection."


class PermissionDenied(StorageMisconfigured):
    """The database user lacks a privilege that Panko needs."""

    TEXT = "The database does not permit Panko's user to do this."
    ADVICE = "Grant its user all privileges on the database, or let the user own it."


class FileUnusable(StorageMisconfigured):
    """The database file is missing, damaged, not a database or not writable."""

    TEXT = "The file of the database cannot be used."
    ADVICE = (
        "The file and its directory must be writable for the user that runs Panko; panko-dbsync creates both. "
        "Restore a damaged file from a backup."
    )


class StatementFailed(_DatabaseError):
    """The database refused a statement, which is a bug in Panko."""

    TEXT = "The database refused a statement."


class SchemaMismatch(StorageError):
    """The database schema is not the one that this version of Panko works with."""


class SchemaMissing(SchemaMismatch):
    """The database is empty."""


class SchemaOutdated(SchemaMismatch):
    """The database has the schema of an earlier version."""


class OldSchema(SchemaMismatch):
    """The database was made by Panko 10, and can be converted."""


class ConversionConflict(StorageError):
    """Another process is converting the same database of Panko 10."""


class ConversionIncomplete(StorageError):
    """Events of Panko 10 are not in the tables of this version, or are different there."""


class NotSupported(StorageError):
    """The driver does not support an optional call.

    :param capability: name of the call in the driver's capabilities
    """

    def __init__(self, capability: str):
        super().__init__(f"The storage driver has no {capability}: see its capabilities.")


class InvalidMarker(StorageError):
    """The marker is not an event that the caller may see.

    :param marker: the given message_id
    """

    def __init__(self, marker: str):
        super().__init__(f"Marker {excerpt(marker)} not found.")
        self.marker = marker


class InvalidFilter(StorageError, ValueError):
    """A filter, sort order or page is invalid."""


class ScanTimeout(InvalidFilter):
    """The search for the events of a filter has reached ``EventFilter.scan_seconds``.

    :param seconds: the bound
    """

    def __init__(self, seconds: float):
        super().__init__(
            f"The search took more than {seconds:g} seconds. Narrow the time range, or add a condition that few events "
            "meet, such as an event type or the exact value of a trait."
        )


SEARCH_TIMEOUTS = (QueryTimeout, StorageTimeout, ScanTimeout)
"""What a search raises that takes too long."""


class InvalidEvent(StorageError, ValueError):
    """An event cannot be stored as it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that was not stored, and why."""

    event: Any
    reason: str


class EventsRefused(StorageError):
    """Some events of a call cannot be stored as they are; the others were stored.

    The text is one line for a log. It names the first event, with its reason up to a colon: what follows a colon may
    repeat values of the event.

    :param refusals: the refused events, each with its reason
    :param stored: number of events of the same call that were stored
    :param duplicates: number of events of the same call that had been stored before
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
