# SPDX-License-Identifier: Apache-2.0
"""The publisher ``panko://``, which Ceilometer loads to store its events."""

import urllib.parse
from collections.abc import Sequence
from typing import Any

import tenacity
from oslo_log import log

from panko import service, storage
from panko.publisher.group_commit import GroupCommit
from panko.storage import deadlines
from panko.storage.base import Connection
from panko.storage.errors import EventsRefused, Refusal, StorageError, StorageUnavailable

LOG = log.getLogger(__name__)

CALL_SECONDS = 10
"""Time in which a call returns or raises, whatever the database does.

Ceilometer receives a message that it has sent back again at once. If a call did not retry for most of this time,
Ceilometer would only write tracebacks, five megabytes of them per second.
"""

LAST_TRY_SECONDS = 1 + deadlines.GRACE_SECONDS
"""If less time than this is left, no other try starts: a try takes this long if the database does not respond."""


class DatabasePublisher:
    """Stores the events that Ceilometer publishes; all its threads share one publisher.

    Panko's own configuration names the database: the file of ``panko://?config_file=PATH``, or panko.conf in the
    directories of oslo.config. Ceilometer's configuration and logging are not changed. With ``refused=log``, events
    that can never be stored are logged instead of raised: if Ceilometer is configured to requeue messages on errors,
    they would be redelivered forever.

    An unreachable database is not an error at first: Ceilometer would run without this publisher until it is restarted,
    and acknowledge events that are not stored. Each call tries to connect until one succeeds.

    :param conf: Ceilometer's configuration, which is not used
    :param parsed_url: the publisher's URL, as :func:`urllib.parse.urlparse` returns it
    :raises ValueError: if the URL has an unknown parameter
    :raises oslo_config.cfg.Error: if the configuration is invalid
    :raises StorageError: if the database is reachable but cannot be used; the text says why
    """

    def __init__(self, conf: Any, parsed_url: urllib.parse.ParseResult):
        parameters = urllib.parse.parse_qs(parsed_url.query, keep_blank_values=True)
        config_files = parameters.pop("config_file", None)
        self._on_refusal = parameters.pop("refused", ["raise"])
        if parameters or self._on_refusal not in (["raise"], ["log"]):
            raise ValueError("panko:// has only the parameters config_file=PATH and refused=raise or refused=log")
        self.conf = service.prepare_service([], config_files=config_files, share=True)
        service.defer_reads(self.conf)
        self._connection: Connection | None = None
        self._group = GroupCommit(self._record_events)
        try:
            with deadlines.within(CALL_SECONDS - LAST_TRY_SECONDS):
                self._connect()
        except StorageUnavailable as error:
            LOG.warning("%s Events are not stored until it does. %s", error, error.detail)

    def publish_events(self, events: Any) -> None:
        """Store events, and return when they are durable; duplicates are skipped.

        :param events: one event or a list of them: anything with the attributes of :class:`panko.storage.models.Event`
        :raises EventsRefused: if events cannot be stored as they are; the others were stored. Not with ``refused=log``
        :raises StorageError: if the database fails for CALL_SECONDS; the same call may be repeated
        """
        refusals: Sequence[Refusal] = ()
        try:
            with deadlines.within(CALL_SECONDS - LAST_TRY_SECONDS):
                self._group.record(events if isinstance(events, Sequence) else [events])
        except EventsRefused as error:
            if self._on_refusal == ["raise"]:
                # Ceilometer logs the whole traceback, twice; which function stored the event does not help there.
                raise error.with_traceback(None) from None
            refusals = error.refusals
        for refusal in refusals:
            LOG.error("%s", EventsRefused([refusal], 0, 0))

    def _record_events(self, events: Sequence[Any]) -> None:
        """Store events, and retry until the caller's time is up; the group makes one call at a time.

        Errors that only an operator can fix are retried too: else Ceilometer would call again at once.
        """
        retrying = tenacity.Retrying(
            stop=lambda state: deadlines.seconds_left() <= state.upcoming_sleep,
            wait=tenacity.wait_exponential(multiplier=0.1, max=1),
            retry=tenacity.retry_if_exception(_is_retryable),
            reraise=True,
        )
        retrying(lambda: self._connect().record_events(events))

    def _connect(self) -> Connection:
        if self._connection is None:
            connection = storage.get_connection(storage.connection_url(self.conf), self.conf)
            try:
                connection.check_schema()
            except StorageError:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def close(self) -> None:
        """Close the connections to the database; a later call opens new ones."""
        if self._connection is not None:
            self._connection.close()


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, StorageError) and not isinstance(error, EventsRefused)
