# SPDX-License-Identifier: Apache-2.0
"""The command panko-expirer: delete the events that are older than they are to be kept."""

import sys
from collections.abc import Sequence

import tqdm
from oslo_log import log
from oslo_utils import timeutils

from panko import service, storage
from panko.cmd.errors import report_errors
from panko.storage.base import Connection

EVENTS_OF_A_CALL = 20_000
"""Where the configuration names no size: the storage divides them into transactions, several of them at a time."""

LOG = log.getLogger(__name__)


@report_errors
def main(argv: Sequence[str]) -> int:
    """Delete all events that were generated more than ``[database] event_time_to_live`` seconds ago."""
    conf = service.prepare_service(argv)
    ttl = conf.database.event_time_to_live
    if ttl <= 0:
        print(
            f"Nothing to do: [database] event_time_to_live is {ttl}, so events are kept for ever. "
            "Set it to the number of seconds after which they are to be deleted."
        )
        return 0
    connection = storage.get_connection_from_config(conf)
    connection.check_schema()
    deleted = expire(connection, ttl, conf.database.events_delete_batch_size)
    LOG.info("%d events older than %d s were deleted", deleted, ttl)
    return 0


def expire(connection: Connection, ttl: int, batch_size: int) -> int:
    """Delete what is older than ``ttl`` seconds.

    :param batch_size: number of events that a transaction deletes at most; 0: the storage chooses it
    :returns: number of events that were deleted
    """
    # What expires meanwhile is left to the next run: in a busy cloud this one would not end otherwise.
    now = timeutils.utcnow()
    total = 0
    # A progress bar appears on a terminal only (disable=None).
    with tqdm.tqdm(desc="expired", unit=" events", disable=None) as progress:
        # What another expirer deletes may make a batch smaller: only an empty one ends this.
        while deleted := connection.clear_expired_data(ttl, max_count=batch_size or EVENTS_OF_A_CALL, now=now):
            total += deleted
            progress.update(deleted)
    return total


if __name__ == "__main__":
    sys.exit(main())
