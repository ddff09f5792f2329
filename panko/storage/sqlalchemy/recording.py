# SPDX-License-Identifier: Apache-2.0
"""A call that stores events: which of them are stored, which were there, and which the database refuses."""

from collections.abc import Iterable, Sequence
from typing import Any

from oslo_log import log

from panko.storage.base import Recorded
from panko.storage.errors import Refusal
from panko.storage.models import CheckedEvent
from panko.storage.sifting import Sifting
from panko.storage.sqlalchemy import failures
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.retries import repeated
from panko.storage.sqlalchemy.writer import Writer

LOG = log.getLogger(__name__)


class Recorder:
    """Does what :meth:`panko.storage.base.Connection.record_events` says, for many threads at once.

    :param writer: what stores batches
    :param dialect: dialect of the database
    """

    def __init__(self, writer: Writer, dialect: Dialect):
        self._writer = writer
        self._dialect = dialect

    def record(self, events: Iterable[Any]) -> Recorded:
        """Store events; what is raised is the contract's."""
        sifting = Sifting(self._dialect.check_size)
        given = {checked.message_id: (event, checked) for event, checked in sifting.sift(events)}
        refused: list[str] = []
        with failures.translated():
            stored = self._store([checked for _, checked in given.values()], refused)
        sifting.duplicates += len(given) - stored - len(refused)
        sifting.refusals += (Refusal(given[message_id][0], "the database refused it") for message_id in refused)
        return sifting.outcome(stored)

    def _store(self, events: Sequence[CheckedEvent], refused: list[str]) -> int:
        """Store events; where the database refuses one, it is found by halving, and the others are stored.

        :param refused: takes the message_ids of those that the database refused
        :returns: how many were stored
        """
        if not events:
            return 0
        try:
            return self._write(events)
        except failures.DATABASE_ERRORS as error:
            if not failures.is_refusal(error):
                raise
            if len(events) == 1:
                LOG.warning("The database refused the event %s: %s", events[0].message_id, failures.detail(error))
                refused.append(events[0].message_id)
                return 0
            middle = len(events) // 2
            return self._store(events[:middle], refused) + self._store(events[middle:], refused)

    @repeated(failures.is_duplicate)
    def _write(self, events: Sequence[CheckedEvent]) -> int:
        return self._writer.write(events)
