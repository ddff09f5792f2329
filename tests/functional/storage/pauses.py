# SPDX-License-Identifier: Apache-2.0
"""Stop a storage at a statement until something else has happened, so that a race always comes out the same way."""

import contextlib
import re
import threading
from collections.abc import Iterator

import sqlalchemy as sa

from panko.storage.base import Connection

TIMEOUT = 60.0
"""Seconds until a test fails that waits for what does not happen."""


def deletes_from(*tables: str) -> str:
    """Return a pattern for the beginning of statements that delete rows of tables, without the quotes of names."""
    names = "|".join(tables)
    return rf"DELETE (FROM ({names})\b|kept FROM .*\b({names}) AS kept\b)"


REMOVES_NAME = deletes_from("event_type", "shape", "owner")
DELETES_EVENTS = deletes_from("event")
STORES_EVENTS = r"(INSERT|COPY)\b.*\bevent(_count_change)?\b"
"""Patterns for the beginning of statements, without the quotes of names."""


class Pause:
    """One stop of one thread.

    reached: set when the thread has stopped.
    released: set it to let the thread go on.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Stop the first thread that comes here until it is released."""
        with self._lock:
            if self.reached.is_set() or self.released.is_set():
                return
            self.reached.set()
        if not self.released.wait(TIMEOUT):
            raise AssertionError("what a stopped thread waits for did not happen")

    def wait_until_reached(self) -> None:
        """Return when a thread has stopped; fail if none does."""
        assert self.reached.wait(TIMEOUT), "no thread came to the statement at which it was to stop"


@contextlib.contextmanager
def paused_at(storage: Connection, statement: str) -> Iterator[Pause]:
    """Stop the first thread of a storage before it executes a statement with that beginning."""
    pause, pattern = Pause(), re.compile(statement, re.IGNORECASE | re.DOTALL)

    def before(connection, cursor, text, *others):
        if pattern.match(plain(text)):
            pause.stop()

    with _listening(storage, pause, before_cursor_execute=before):
        yield pause


@contextlib.contextmanager
def paused_at_commit(storage: Connection, statement: str = STORES_EVENTS) -> Iterator[Pause]:
    """Stop the first thread of a storage that commits a transaction with a statement of that beginning."""
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
    """Return a statement without the quotes of names and the spaces at its beginning."""
    return statement.translate({ord(quote): None for quote in '`"'}).lstrip()
