# SPDX-License-Identifier: Apache-2.0
"""Documents of events from another service, each stored at once with an account of what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from panko.ingest.decoding import decode_event, parse_events
from panko.storage.base import Connection, Recorded
from panko.storage.errors import EventsRefused, InvalidEvent, excerpt
from panko.storage.models import NAME_LENGTH
from panko.storage.validation import CheckedEvent


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """One event of a document that was not stored, and why.

    :param index: its place in the document, from 0
    :param message_id: None where it has none, or no readable one
    """

    index: int
    message_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the events of a document: each is counted once."""

    stored: int
    duplicates: int
    refusals: tuple[RefusedEvent, ...]

    @property
    def is_in_vain(self) -> bool:
        """Whether there were events, and every one of them was refused."""
        return bool(self.refusals) and not self.stored and not self.duplicates


def receive_events(
    connection: Connection, document: bytes, check_count: Callable[[int], None] = lambda count: None
) -> Receipt:
    """Store the events of a document, which is an array of them or one; those that are stored are durable.

    :param document: JSON in UTF-8, in one of the forms of :func:`~panko.ingest.decoding.decode_event`
    :param check_count: is told how many events there are, and may raise an exception of its own
    :raises InvalidEvent: where the document is no JSON
    :raises StorageUnavailable: where the database failed; the same call may be repeated
    """
    members = parse_events(document)
    check_count(len(members))
    events: dict[int, CheckedEvent] = {}
    refusals = []
    for index, member in enumerate(members):
        try:
            events[index] = decode_event(member)
        except InvalidEvent as error:
            refusals.append(_refused(index, _message_id(member), error))
    recorded, unstorable = _record(connection, events)
    refusals = sorted([*refusals, *unstorable], key=lambda refused: refused.index)
    return Receipt(recorded.stored, recorded.duplicates, tuple(refusals))


def _record(connection: Connection, events: dict[int, CheckedEvent]) -> tuple[Recorded, list[RefusedEvent]]:
    if not events:
        return Recorded(), []
    try:
        return connection.record_events(events.values()), []
    except EventsRefused as error:
        indexes = {id(event): index for index, event in events.items()}
        refusals = [
            _refused(indexes[id(refusal.event)], refusal.event.message_id, refusal.reason) for refusal in error.refusals
        ]
        return Recorded(error.stored, error.duplicates), refusals


def _refused(index: int, message_id: str | None, reason: object) -> RefusedEvent:
    return RefusedEvent(index, message_id, excerpt(reason))


def _message_id(member: Any) -> str | None:
    message_id = member.get("message_id") if isinstance(member, dict) else None
    return message_id if isinstance(message_id, str) and 0 < len(message_id) <= NAME_LENGTH else None
