# SPDX-License-Identifier: Apache-2.0
"""Making and filling the tables by the panko that is installed, and telling what the process is."""

import importlib.metadata
import platform
import time
from collections.abc import Iterator

from benchmarks import dataset
from benchmarks.worker.session import Session
from panko.storage import EventFilter

LIBRARIES = ("panko", "SQLAlchemy", "psycopg", "psycopg2-binary", "PyMySQL", "pecan", "WSME", "orjson")


def upgrade(session: Session) -> None:
    """Make the tables."""
    session.connection.upgrade()


def fill(session: Session, events: int, batch: int) -> Iterator[dict]:
    """Store the event set by ``record_events``; yields the seconds that each batch took."""
    loaded = 0
    for some in dataset.batches(dataset.events(events), batch):
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
