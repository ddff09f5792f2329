# SPDX-License-Identifier: Apache-2.0
"""Events that a request brings: stored, and every one accounted for to the client and in the log."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from oslo_log import log
from wsme.exc import ClientSideError

from panko.api.errors import NothingStored
from panko.ingest.receiving import RefusedEvent, receive_events
from panko.storage.base import Connection
from panko.storage.errors import InvalidEvent

LOG = log.getLogger(__name__)

MOST_EVENTS = 10_000
"""Events of one request: what becomes of each is told, and a body may hold a million that are none."""

MOST_LOGGED = 100
"""Refused events of one request that get a line of the log each."""


def create_events(storage: Connection, body: bytes, request_id: str | None) -> bytes:
    """Store the events of a body, and return the account of them as JSON.

    :param request_id: what the log calls the request
    :raises ClientSideError: where none could be read, or there are too many of them
    :raises StorageUnavailable: where the database failed; the same request may be sent again
    """
    try:
        receipt = receive_events(storage, body, _check_count)
    except InvalidEvent as error:
        raise ClientSideError(f"The body of the request holds no events: {error}") from error
    _log_refusals(receipt.refusals, request_id)
    refusals = [asdict(refused) for refused in receipt.refusals]
    if receipt.is_in_vain:
        raise NothingStored(refusals)
    account = {
        "stored": receipt.stored,
        "duplicates": receipt.duplicates,
        "refused": len(refusals),
        "refusals": refusals,
    }
    # Not orjson: a message_id repeats what the client sent, where a lone surrogate may be.
    return json.dumps(account).encode()


def _check_count(count: int) -> None:
    if count > MOST_EVENTS:
        text = f"The body of the request holds {count} events, more than {MOST_EVENTS}"
        raise ClientSideError(text, status_code=413)


def _log_refusals(refusals: Iterable[RefusedEvent], request_id: str | None) -> None:
    """Log which events were refused; what they hold, which a reason repeats after a colon, is not for the log."""
    refusals = list(refusals)
    for refused in refusals[:MOST_LOGGED]:
        reason = refused.reason.partition(": ")[0]
        LOG.warning("Request %s: event %a was refused: %a", request_id, refused.message_id or refused.index, reason)
    if len(refusals) > MOST_LOGGED:
        LOG.warning("Request %s: %d more events were refused", request_id, len(refusals) - MOST_LOGGED)
