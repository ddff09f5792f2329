# SPDX-License-Identifier: Apache-2.0
"""Pause a storage before a statement or commit, so that a race has a known order."""

import contextlib
import re
import threading
from collections.abc import Iterator

import sqlalchemy as sa

from panko.storage.base import Connection

TIMEOUT = 60.0
"""Seconds until a test fails that waits in vain."""


def deletes_from(*tables: str) -> str:
    """Return a pattern for statements without quotes that delete rows of tables."""
    names = "|".join(tables)
    return rf"DELETE (FROM ({names})\b|kept FROM .*\b({names}) AS kept\b)"


REMOVES_NAME = deletes_from("event_type", "shape", "owner")
DELETES_EVENTS = deletes_from("event")
STORES_EVENTS = r"(INSERT|COPY)\b.*\bevent(_count_change)?\b"
"""Patterns for the beginning of statements without quotes."""


class Pause:
    """A pause of one thread.

    ``reached`` is set when the thread pauses; set ``released`` to let it continue.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Pause the first thread that calls this until it is released."""
        with self._lock:
            if self.reached.is_set() or self.released.is_set():
                return
            self.reached.set()
        if not self.released.wait(TIMEOUT):
            raise AssertionError("the paused thread was not released")

    def wait_until_reached(self) -> None:
        """Wait until a thread pauses; fail if none does."""
        assert self.reached.wait(TIMEOUT), "no thread reached the statement"


@contextlib.contextmanager
def paused_at(storage: Connection, statement: str) -> Iterator[Pause]:
    """Pause the first thread of a storage before it executes a matching statement."""
    pause, pattern = Pause(), re.compile(statement, re.IGNORECASE | re.DOTALL)

    def before(connection, cursor, text, *others):
        if pattern.match(plain(text)):
            pause.stop()

    with _listening(storage, pause, before_cursor_execute=before):
        yield pause


@contextlib.contextmanager
def paused_at_commit(storage: Connection, statement: str = STORES_EVENTS) -> Iterator[Pause]:
    """Pause the first thread of a storage before it commits a transaction with a matching statement."""
    pause, pattern = Pause(), re.compile(statement, re.IGNORECASE | re.DOTALL)

    def before(connection, cursor, text, *others):
        if pattern.match(plain(text)):
            connection.info["pauses"] = True
        elif connection.info.get("pauses") and text.upper().startswith("COMMIT"):
            pause.stop()

    def commit(connection):
        if connection.info.pop("pauses", False):
            pause.stop()

    with _listening(storage, pause, before_cursor_execute=before, commit=commit):
        yield pause


@contextlib.contextmanager
def _listening(storage: Connection, pause: Pause, **listeners) -> Iterator[None]:
    for name, listener in listeners.items():
        sa.event.listen(storage._engine, name, listener)
    try:
        yield
    finally:
        pause.released.set()
        for name, listener in listeners.items():
            sa.event.remove(storage._engine, name, listener)


def plain(statement: str) -> str:
    """Return a statement without quotes of names and leading spaces."""
    return statement.translate({ord(quote): None for quote in '`"'}).lstrip()
