# SPDX-License-Identifier: Apache-2.0
"""Expiry, called as by panko-expirer."""

import datetime
import time
from collections.abc import Iterator

from benchmarks.worker.session import Session


def expire(session: Session, before: str, most: int) -> Iterator[dict]:
    """Time the deletion of events generated before a time (naive UTC, ISO 8601).

    :param most: maximum number of events to delete
    """
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    ttl = int((now - datetime.datetime.fromisoformat(before)).total_seconds())
    began = time.perf_counter()
    session.connection.clear_expired_data(ttl, most)
    yield {"sample": time.perf_counter() - began}


def drop(session: Session, before: str) -> Iterator[dict]:
    """Time the deletion of whole periods that ended before a time (naive UTC, ISO 8601), as panko-expirer begins."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    ttl = int((now - datetime.datetime.fromisoformat(before)).total_seconds())
    began = time.perf_counter()
    deleted = session.connection.drop_expired(ttl, now=now)
    yield {"sample": time.perf_counter() - began, "deleted": deleted}
