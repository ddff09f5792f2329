# SPDX-License-Identifier: Apache-2.0
"""Batches of events sent by another service: each event is stored, a duplicate, or refused with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oslo_log import log

from panko.ingest.decoding import decode_event, parse_events
from panko.storage.base import Connection, Recorded
from panko.storage.errors import EventsRefused, InvalidEvent, excerpt
from panko.storage.models import NAME_LENGTH
from panko.storage.validation import CheckedEvent

LOG = log.getLogger(__name__)

MAX_BATCH_EVENTS = 10_000
"""The result names each refused event, so limit their number: a body can hold a million invalid members."""

MAX_LOGGED_REFUSALS = 100
"""Refused events of one batch that are logged one by one."""


class BatchTooLarge(Exception):
    """A batch has more than MAX_BATCH_EVENTS events.

    :param count: how many it has
    """

    def __init__(self, count: int):
        super().__init__(f"{count} events, more than {MAX_BATCH_EVENTS}")


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event of a batch that was not stored, and why.

    :param index: its position in the batch, from 0
    :param message_id: None if it is missing or invalid
    """

    index: int
    message_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of the events of a batch; each is counted once."""

    stored: int
    duplicates: int
    refusals: tuple[RefusedEvent, ...]

    @property
    def all_refused(self) -> bool:
        """Whether there were events, and every one was refused."""
        return bool(self.refusals) and not self.stored and not self.duplicates


def store_batch(connection: Connection, document: bytes, request_id: str | None) -> BatchResult:
    """Store the events of a JSON document, which is one event or an array of events; log those that are refused.

    :param document: JSON in UTF-8, in one of the forms that :func:`~panko.ingest.decoding.decode_event` reads
    :param request_id: the request that brought the document, for the log
    :returns: the result; what is counted as stored is durable
    :raises InvalidEvent: if the document is not JSON
    :raises BatchTooLarge: if it has too many events; none is stored
    :raises StorageUnavailable: if the database fails; the same call may be repeated
    """
    members = parse_events(document)
    if len(members) > MAX_BATCH_EVENTS:
        raise BatchTooLarge(len(members))
    events: dict[int, CheckedEvent] = {}
    refusals = []
    for index, member in enumerate(members):
        try:
            events[index] = decode_event(member)
        except InvalidEvent as error:
            refusals.append(RefusedEvent(index, _message_id(member), excerpt(error)))
    recorded, refused_by_storage = _record(connection, events)
    refusals = sorted([*refusals, *refused_by_storage], key=lambda refused: refused.index)
    _log_refusals(refusals, request_id)
    return BatchResult(recorded.stored, recorded.duplicates, tuple(refusals))


def _record(connection: Connection, events: dict[int, CheckedEvent]) -> tuple[Recorded, list[RefusedEvent]]:
    if not events:
        return Recorded(), []
    try:
        return connection.record_events(events.values()), []
    except EventsRefused as error:
        indexes = {id(event): index for index, event in events.items()}
        refusals = [
            RefusedEvent(indexes[id(refusal.event)], refusal.event.message_id, excerpt(refusal.reason))
            for refusal in error.refusals
        ]
        return Recorded(error.stored, error.duplicates), refusals


def _message_id(member: Any) -> str | None:
    message_id = member.get("message_id") if isinstance(member, dict) else None
    return message_id if isinstance(message_id, str) and 0 < len(message_id) <= NAME_LENGTH else None


def _log_refusals(refusals: Sequence[RefusedEvent], request_id: str | None) -> None:
    """Log which events were refused, without the content of events that a reason repeats after a colon."""
    for refused in refusals[:MAX_LOGGED_REFUSALS]:
        reason = refused.reason.partition(": ")[0]
        LOG.warning("Request %s: event %a was refused: %a", request_id, refused.message_id or refused.index, reason)
    if len(refusals) > MAX_LOGGED_REFUSALS:
        LOG.warning("Request %s: %d more events were refused", request_id, len(refusals) - MAX_LOGGED_REFUSALS)
