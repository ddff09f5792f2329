# SPDX-License-Identifier: Apache-2.0
"""The publisher ``panko://``, which Ceilometer loads to store its events."""

import contextlib
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

PATIENCE = 10
"""Seconds within which a call returns or raises, whatever the database does.

Ceilometer gets a message that it gave back again at once: if a call did not try again for most of this time, Ceilometer
would do nothing but write tracebacks, five megabytes of them a second.
"""

LAST_TRY_SECONDS = 1 + deadlines.GRACE_SECONDS
"""Seconds before the end after which no other try begins: so long one may take that the database does not answer."""


class DatabasePublisher:
    """Stores what Ceilometer publishes, for all its threads at once.

    Panko's own configuration says where: the file of ``panko://?config_file=PATH``, else panko.conf where oslo.config
    looks for it. Ceilometer's own configuration and logging stay as they are. With ``refused=log`` events that can
    never be stored are logged, instead of raised: Ceilometer may be told to bring again what raised, without an end.

    A database that does not answer is no error at first: Ceilometer would go on without this publisher for as long as
    it runs, and acknowledge what it could not store. Calls try to connect until one can.

    :param conf: Ceilometer's configuration, which is not read
    :param parsed_url: the publisher's URL, as :func:`urllib.parse.urlparse` returns it
    :raises ValueError: where the URL has a parameter that is none of the publisher's
    :raises oslo_config.cfg.Error: where the configuration cannot be read
    :raises StorageError: where the database cannot be used as it is; the text says why
    """

    def __init__(self, conf: Any, parsed_url: urllib.parse.ParseResult):
        parameters = urllib.parse.parse_qs(parsed_url.query, keep_blank_values=True)
        config_files = parameters.pop("config_file", None)
        self._on_refusal = parameters.pop("refused", ["raise"])
        if parameters or self._on_refusal not in (["raise"], ["log"]):
            raise ValueError("panko:// has the parameters config_file=PATH and refused=raise or refused=log, no others")
        self.conf = service.prepare_service([], config_files=config_files, share=True)
        self._connection: Connection | None = None
        self._group = GroupCommit(self._record_events)
        try:
            with _patience():
                self._connect()
        except StorageUnavailable as error:
            LOG.warning("%s Events are not stored until it does. %s", error, error.detail)

    def publish_events(self, events: Any) -> None:
        """Return when the events are durable; those that are stored already are passed over.

        :param events: one event or a list of them: anything with the attributes of :class:`panko.storage.models.Event`
        :raises EventsRefused: where events cannot be stored as they are; the others of the call were stored. Not with
            ``refused=log``
        :raises StorageError: where the database failed, within PATIENCE; the same call may be repeated
        """
        refusals: Sequence[Refusal] = ()
        try:
            with _patience():
                self._group.record(events if isinstance(events, Sequence) else [events])
        except EventsRefused as error:
            if self._on_refusal == ["raise"]:
                # Ceilometer logs the whole traceback, twice: where the group stored the event is of no use there.
                raise error.with_traceback(None) from None
            refusals = error.refusals
        for refusal in refusals:
            LOG.error("%s", EventsRefused([refusal], 0, 0))

    def _record_events(self, events: Sequence[Any]) -> None:
        """Store events, trying again until the time of the caller is up; the group makes one call at a time.

        What an operator has to mend is tried again as well: without a pause, Ceilometer would be back at once.
        """
        retrying = tenacity.Retrying(
            stop=lambda state: deadlines.seconds_left() <= state.upcoming_sleep,
            wait=tenacity.wait_exponential(multiplier=0.1, max=1),
            retry=tenacity.retry_if_exception(_is_failure),
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
        """End the connections to the database; a later call makes new ones."""
        if self._connection is not None:
            self._connection.close()


def _patience() -> contextlib.AbstractContextManager[None]:
    return deadlines.within(PATIENCE - LAST_TRY_SECONDS)


def _is_failure(error: BaseException) -> bool:
    return isinstance(error, StorageError) and not isinstance(error, EventsRefused)
