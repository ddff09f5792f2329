# SPDX-License-Identifier: Apache-2.0
"""What the collector does with the events of messages: check signatures, store in batches, count."""

import operator
import threading
from collections.abc import Iterable
from typing import Any

import tenacity
from oslo_log import log

from panko.ingest import decoding, signatures
from panko.ingest.decoding import Unreadable
from panko.ingest.stats import Stats, reason_of
from panko.storage.base import Connection
from panko.storage.errors import EventsRefused, InvalidEvent, StorageError
from panko.storage.models import NAME_LENGTH
from panko.storage.validation import CheckedEvent

LOG = log.getLogger(__name__)

MIN_RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 30
"""Shortest and longest pause before a batch is tried again."""

RETRY_TIMEOUT_SECONDS = 60
"""How long a batch is retried before it goes back to the queue, from which another collector may take it."""

_MESSAGE_ID = operator.attrgetter("message_id")


class Collector:
    """Stores the events of messages.

    :param connection: storage
    :param secret: secret that events must be signed with; None or empty: signatures are ignored
    :param stats: counts what was stored and refused
    :param stopping: set when the process should end; nothing is retried from then on
    """

    def __init__(self, connection: Connection, secret: str | None, stats: Stats, stopping: threading.Event):
        self._connection = connection
        self._secret = secret
        self._stats = stats
        self._stopping = stopping

    def collect(self, payloads: Iterable[list[Any] | Unreadable]) -> bool:
        """Store the events of several messages in one call of record_events.

        After any error except refused events, the batch is retried with growing pauses, until RETRY_TIMEOUT_SECONDS
        have passed or the process should end.

        :param payloads: of :func:`~panko.ingest.decoding.read_notification`
        :returns: whether every event is stored or refused; if not, the messages must go back to the queue
        """
        events, refused = self._decode(payloads)
        if events and not self._store(events):
            return False
        # Only now: messages that go back to the queue come again, and would be counted and logged each time.
        for message_id, reason in refused:
            self._refuse(message_id, reason)
        return True

    def _decode(self, payloads: Iterable[list[Any] | Unreadable]) -> tuple[list[CheckedEvent], list[tuple[Any, str]]]:
        """Return the events that can be stored, and the message_id and the reason of each other event."""
        events: list[CheckedEvent] = []
        refused: list[tuple[Any, str]] = []
        for payload in payloads:
            if isinstance(payload, Unreadable):
                refused.append((payload.message_id, payload.reason))
                continue
            for document in payload:
                message_id = document.get("message_id") if isinstance(document, dict) else None
                if self._secret and isinstance(document, dict) and not signatures.is_signed(document, self._secret):
                    refused.append((message_id, "bad signature"))
                    continue
                try:
                    events.append(decoding.decode_event(document))
                except InvalidEvent as error:
                    refused.append((message_id, reason_of(str(error))))
        return events, refused

    def _store(self, events: list[CheckedEvent]) -> bool:
        """Return whether each event is stored, or refused by storage.

        Retry after any error except refused events, until RETRY_TIMEOUT_SECONDS have passed or the process should end.
        """
        # Two collectors that store the same events in different orders would block each other, for a second or longer.
        events.sort(key=_MESSAGE_ID)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_not_exception_type(EventsRefused),
            wait=tenacity.wait_exponential(MIN_RETRY_SECONDS, max=MAX_RETRY_SECONDS),
            stop=tenacity.stop_any(
                tenacity.stop_when_event_set(self._stopping), tenacity.stop_after_delay(RETRY_TIMEOUT_SECONDS)
            ),
            sleep=tenacity.sleep_using_event(self._stopping),
            before_sleep=_log_retry,
            reraise=True,
        )
        try:
            recorded = retrying(self._connection.record_events, events)
        except EventsRefused as error:
            self._stats.add(error.stored, error.duplicates)
            for refusal in error.refusals:
                self._refuse(refusal.event.message_id, reason_of(refusal.reason))
        except Exception:
            # Whatever the error is: a message whose events are not stored must not be acknowledged.
            LOG.warning("A batch of %d events could not be stored: it goes back to the queue.", len(events))
            return False
        else:
            self._stats.add(recorded.stored, recorded.duplicates)
        return True

    def _refuse(self, message_id: Any, reason: str) -> None:
        self._stats.add_refused(reason)
        known = repr(message_id[:NAME_LENGTH]) if isinstance(message_id, str) and message_id else "without message_id"
        LOG.warning("Event %s was refused: %s", known, reason)


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, StorageError):
        LOG.warning("%s %s Trying again in %s s.", error, error.detail, state.upcoming_sleep)
    else:
        LOG.error("A batch could not be stored. Trying again in %s s.", state.upcoming_sleep, exc_info=error)
