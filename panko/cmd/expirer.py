# SPDX-License-Identifier: Apache-2.0
"""The command panko-expirer: delete events that are older than [database] event_time_to_live."""

import sys
from collections.abc import Sequence

from oslo_log import log
from oslo_utils import timeutils

from panko import service, storage
from panko.cmd.errors import report_errors
from panko.cmd.progress import progress_bar
from panko.storage.base import Connection

DEFAULT_CALL_EVENTS = 20_000
"""Events that one call deletes if the configuration gives no batch size; the driver divides them into transactions."""

LOG = log.getLogger(__name__)


@report_errors
def main(argv: Sequence[str]) -> int:
    """Delete all events that were generated more than ``[database] event_time_to_live`` seconds ago."""
    conf = service.prepare_service(argv)
    ttl = conf.database.event_time_to_live
    if ttl <= 0:
        print(
            f"Nothing to do: [database] event_time_to_live is {ttl}, so events are kept forever. "
            "Set it to the number of seconds to keep them."
        )
        return 0
    connection = storage.get_connection_from_config(conf)
    connection.check_schema()
    deleted = expire(connection, ttl, conf.database.events_delete_batch_size)
    LOG.info("%d events older than %d s were deleted", deleted, ttl)
    return 0


def expire(connection: Connection, ttl: int, batch_size: int) -> int:
    """Delete events that are older than ``ttl`` seconds.

    :param batch_size: maximum number of events that one call of storage deletes, in one transaction or in several;
        0: DEFAULT_CALL_EVENTS
    :returns: number of deleted events
    """
    # Events that expire meanwhile are left to the next run; else this run would never end in a busy cloud.
    now = timeutils.utcnow()
    with progress_bar("expired") as progress:
        total = connection.drop_expired(ttl, now=now)
        progress.update(total)
        # A batch may be small because another expirer deletes too: only an empty batch means that all are deleted.
        while deleted := connection.clear_expired_data(ttl, max_count=batch_size or DEFAULT_CALL_EVENTS, now=now):
            total += deleted
            progress.update(deleted)
    return total


if __name__ == "__main__":
    sys.exit(main())
