# SPDX-License-Identifier: Apache-2.0
"""What the collector does with the events of messages: verify, store in batches, count."""

import operator
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import tenacity
from oslo_log import log

from panko.ingest import decoding, signatures
from panko.ingest.notifications import Unreadable
from panko.ingest.stats import Tally, reason_of
from panko.storage.base import Connection
from panko.storage.errors import EventsRefused, InvalidEvent, StorageError
from panko.storage.validation import CheckedEvent

LOG = log.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30
HELD = 60
"""Seconds that a batch is tried again before it goes back to the queue, from where another collector may take it."""

ID_LENGTH = 255

_MESSAGE_ID = operator.attrgetter("message_id")


class Collector:
    """Stores the events of messages.

    :param connection: storage
    :param secret: what events must be signed by; None or empty: signatures do not count
    :param stopping: is set when the process is to end, and nothing is to be tried again
    """

    def __init__(self, connection: Connection, secret: str | None, tally: Tally, stopping: threading.Event):
        self._connection = connection
        self._secret = secret
        self._tally = tally
        self._stopping = stopping

    def collect(self, payloads: Iterable[list[Any] | Unreadable]) -> bool:
        """Store the events of some messages in one transaction.

        While the database is away they are tried again, after pauses that get longer.

        :param payloads: of :func:`~panko.ingest.notifications.read_notification`
        :returns: whether they are durable or refused, so that the messages are done with
        """
        refused: list[tuple[Any, str]] = []
        events = [event for payload in payloads for event in self._decode(payload, refused)]
        if events and not self._store(events):
            return False
        # Only now: messages that go back to the queue come again, and would be counted and logged each time.
        for message_id, reason in refused:
            self._refuse(message_id, reason)
        return True

    def _store(self, events: list[CheckedEvent]) -> bool:
        """Return whether the events are durable, or refused by storage; retry while the database is unavailable."""
        # Two collectors that store the same events in different orders would wait for each other, a second or longer.
        events.sort(key=_MESSAGE_ID)
        retrying = tenacity.Retrying(
            wait=tenacity.wait_exponential(FIRST_PAUSE, max=LONGEST_PAUSE),
            stop=tenacity.stop_any(tenacity.stop_when_event_set(self._stopping), tenacity.stop_after_delay(HELD)),
            sleep=tenacity.sleep_using_event(self._stopping),
            before_sleep=_tell_of_failure,
            reraise=True,
        )
        try:
            retrying(self._record, events)
        except Exception:
            # Whatever it was: a message that is not stored must not be acknowledged.
            LOG.warning("A batch of %d events could not be stored: it goes back to the queue.", len(events))
            return False
        return True

    def _record(self, events: list[CheckedEvent]) -> None:
        try:
            recorded = self._connection.record_events(events)
        except EventsRefused as error:
            self._tally.add(error.stored, error.duplicates)
            for refusal in error.refusals:
                self._refuse(refusal.event.message_id, reason_of(refusal.reason))
        else:
            self._tally.add(recorded.stored, recorded.duplicates)

    def _decode(self, payload: list[Any] | Unreadable, refused: list[tuple[Any, str]]) -> Iterator[CheckedEvent]:
        """Yield the events of a message that can be stored.

        :param refused: takes the message_id and the reason of each of the others
        """
        if isinstance(payload, Unreadable):
            refused.append((payload.message_id, payload.reason))
            return
        for document in payload:
            message_id = document.get("message_id") if isinstance(document, dict) else None
            try:
                if self._secret and isinstance(document, dict) and not signatures.is_signed(document, self._secret):
                    refused.append((message_id, "bad signature"))
                else:
                    yield decoding.decode_event(document)
            except InvalidEvent as error:
                refused.append((message_id, reason_of(str(error))))

    def _refuse(self, message_id: Any, reason: str) -> None:
        self._tally.refuse(reason)
        known = repr(message_id[:ID_LENGTH]) if isinstance(message_id, str) and message_id else "without message_id"
        LOG.warning("Event %s was refused: %s", known, reason)


def _tell_of_failure(state: tenacity.RetryCallState) -> None:
    error, pause = state.outcome.exception(), state.next_action.sleep
    if isinstance(error, StorageError):
        LOG.warning("%s %s Trying again in %s s.", error, error.detail, pause)
    else:
        LOG.error("A batch could not be stored. Trying again in %s s.", pause, exc_info=error)
