# SPDX-License-Identifier: Apache-2.0
"""Making and filling the tables by the panko that is installed, and telling what the process is."""

import importlib.metadata
import platform
import time
from collections.abc import Iterator

from benchmarks import dataset, odd_events
from benchmarks.worker.session import Session
from panko.storage import EventFilter

LIBRARIES = ("panko", "SQLAlchemy", "psycopg", "psycopg2-binary", "PyMySQL", "pecan", "WSME", "orjson")


def connect(session: Session) -> None:
    """Make ready what other commands begin with, where their time is to be their own."""
    list(session.connection.get_event_types())


def upgrade(session: Session) -> None:
    """Make the tables."""
    session.connection.upgrade()


KINDS = {"set": dataset.events, "expiring": odd_events.expiring, "shaped": odd_events.shaped}


def fill(session: Session, events: int, batch: int, kind: str = "set") -> Iterator[dict]:
    """Store the event set, or events of another kind, by ``record_events``; yields the seconds that each batch took."""
    loaded = 0
    for some in dataset.batches(KINDS[kind](events), batch):
        began = time.perf_counter()
        session.connection.record_events(some)
        loaded += len(some)
        yield {"sample": time.perf_counter() - began, "loaded": loaded}


def sample(session: Session, events: int) -> Iterator[dict]:
    """Yield the first events of the storage, in order of time, with all that they hold."""
    page = {"limit": events, "sort": [("generated", "asc"), ("message_id", "asc")]}
    for event in session.connection.get_events(EventFilter(), page):
        yield {"event": dataset.plain(event)}


def versions(session: Session) -> Iterator[dict]:
    """Yield the versions of Python and of the libraries that matter here."""
    found = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    yield {"versions": found}
