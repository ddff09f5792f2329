# SPDX-License-Identifier: Apache-2.0
"""Setup: the tables of the installed panko, their events, and the versions of libraries."""

import importlib.metadata
import platform
import time
from collections.abc import Iterator

from benchmarks import dataset, odd_events
from benchmarks.worker.session import Session
from panko.storage import EventFilter

LIBRARIES = ("panko", "SQLAlchemy", "psycopg", "psycopg2-binary", "PyMySQL", "opensearch-py", "pecan", "WSME", "orjson")


def connect(session: Session) -> None:
    """Connect, so that the time of later commands does not include it."""
    list(session.connection.get_event_types())


def upgrade(session: Session) -> None:
    """Make the tables."""
    session.connection.upgrade()


KINDS = {"set": dataset.events, "expiring": odd_events.expiring, "shaped": odd_events.shaped}


def fill(session: Session, events: int, batch: int, kind: str = "set") -> Iterator[dict]:
    """Store the event set, or other events, by ``record_events``; yields the seconds of each batch."""
    loaded = 0
    for some in dataset.batches(KINDS[kind](events), batch):
        began = time.perf_counter()
        session.connection.record_events(some)
        loaded += len(some)
        yield {"sample": time.perf_counter() - began, "loaded": loaded}


def sample(session: Session, events: int) -> Iterator[dict]:
    """Yield the first events of the storage in order of time, with all their members."""
    page = {"limit": events, "sort": [("generated", "asc"), ("message_id", "asc")]}
    for event in session.connection.get_events(EventFilter(), page):
        yield {"event": dataset.plain(event)}


def versions(session: Session) -> Iterator[dict]:
    """Yield the versions of Python and of relevant libraries."""
    found = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    yield {"versions": found}
