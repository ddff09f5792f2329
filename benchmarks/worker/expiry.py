# SPDX-License-Identifier: Apache-2.0
"""Expiry, as panko-expirer asks for it."""

import datetime
import time
from collections.abc import Iterator

from benchmarks.worker.session import Session


def expire(session: Session, before: str, most: int) -> Iterator[dict]:
    """Time the deletion of the events that were generated before a time (naive UTC, ISO 8601).

    :param most: number of events that are deleted at most
    """
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    ttl = int((now - datetime.datetime.fromisoformat(before)).total_seconds())
    began = time.perf_counter()
    session.connection.clear_expired_data(ttl, most)
    yield {"sample": time.perf_counter() - began}
