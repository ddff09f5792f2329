# SPDX-License-Identifier: Apache-2.0
"""What the databases' libraries raise, and what it means in the contract."""

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator

import oslo_db.exception
import sqlalchemy as sa

from panko.storage import errors
from panko.storage.errors import SchemaMismatch, StorageError, StorageTimeout, StorageUnavailable

DATABASE_ERRORS = (oslo_db.exception.DBError, sa.exc.SQLAlchemyError)

BAD_STATEMENTS = (sa.exc.ProgrammingError, sa.exc.DataError, sa.exc.NotSupportedError)
"""What a statement raises that would fail again: the database does answer."""

SQLSTATES = {
    "28000": errors.AccessDenied,
    "28P01": errors.AccessDenied,
    "3D000": errors.DatabaseMissing,
    "42501": errors.PermissionDenied,
    "3F000": SchemaMismatch,
    "42P01": SchemaMismatch,
    "42703": SchemaMismatch,
    "53100": errors.StorageFull,
    "57014": errors.QueryTimeout,
    "25006": errors.StorageReadOnly,
}
"""PostgreSQL's codes of errors."""

LOGIN_MESSAGES = (
    (re.compile(r"authentication failed|pg_hba\.conf|no password supplied|role \".*\" does not exist"), "28P01"),
    (re.compile(r"database \".*\" does not exist"), "3D000"),
    (re.compile(r"permission denied for database"), "42501"),
)
"""What PostgreSQL says to one that connects: libpq keeps the code of the error to itself."""

MYSQL_CODES = {
    **dict.fromkeys((1045, 1130, 1251, 1698), errors.AccessDenied),
    1049: errors.DatabaseMissing,
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370), errors.PermissionDenied),
    **dict.fromkeys((1054, 1146), SchemaMismatch),
    **dict.fromkeys((1021, 1114), errors.StorageFull),
    **dict.fromkeys((1969, 3024), errors.QueryTimeout),
    **dict.fromkeys((1290, 1792, 1836), errors.StorageReadOnly),
}
"""The codes of errors of MariaDB and MySQL."""

SQLITE_CODES = {
    **dict.fromkeys(
        (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
            sqlite3.SQLITE_PERM,
            sqlite3.SQLITE_READONLY,
        ),
        errors.FileUnusable,
    ),
    sqlite3.SQLITE_FULL: errors.StorageFull,
    sqlite3.SQLITE_INTERRUPT: errors.QueryTimeout,
}
"""SQLite's primary codes of results."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise what the databases' libraries raise as the contract's errors.

    The original is left out of their tracebacks, whoever may log these: its text holds SQL with the values of events.
    """
    begun = time.monotonic()
    try:
        yield
    except DATABASE_ERRORS as error:
        raise _translate(error, time.monotonic() - begun) from None


def _translate(error: Exception, seconds: float) -> StorageError:
    """Return the contract's error for one of the libraries.

    :param seconds: how long the call has taken
    """
    original = getattr(_unwrapped(error), "orig", None) or error
    kind = _kind_of(original, error)
    said = detail(error)
    place = getattr(original, "panko_place", "")
    if kind is SchemaMismatch:
        return SchemaMismatch(f"The database's schema is not this version's: {said}{place}. Run panko-dbsync.")
    if kind is StorageTimeout:
        said = f"no answer within {seconds:.0f} s: {said}"
    return kind(f"{said}{place}.")


def _kind_of(original: BaseException, error: Exception) -> type[StorageError]:
    if isinstance(error, sa.exc.TimeoutError) or is_silence(original):
        return StorageTimeout
    if isinstance(original, sqlite3.Error):
        found = _kind_of_sqlite(original)
    elif isinstance(code := next(iter(original.args), None), int):
        found = MYSQL_CODES.get(code)
    else:
        found = SQLSTATES.get(getattr(original, "sqlstate", None) or _login_state(str(original)))
    if found is not None:
        return found
    return errors.StatementFailed if _is(BAD_STATEMENTS, error) else StorageUnavailable


def _kind_of_sqlite(error: sqlite3.Error) -> type[StorageError] | None:
    if str(error).startswith(("no such table", "no such column")):
        return SchemaMismatch
    return SQLITE_CODES.get(_primary_code(error))


def _primary_code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _login_state(message: str) -> str | None:
    return next((state for pattern, state in LOGIN_MESSAGES if pattern.search(message)), None)


def is_silence(original: BaseException) -> bool:
    """Whether a database's library gave up waiting for an answer."""
    # Names, as the libraries may not be installed; PyMySQL has nothing but its text.
    return type(original).__name__ in ("ServerSilent", "ConnectionTimeout") or "timed out" in str(original)


def is_busy(original: BaseException) -> bool:
    """Whether SQLite waits for another connection's transaction."""
    return _primary_code(original) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_duplicate(error: Exception) -> bool:
    """Whether a row is there already that was to be inserted."""
    return isinstance(error, oslo_db.exception.DBDuplicateEntry)


def is_reference(error: Exception) -> bool:
    """Whether a row is refused that refers to one that is gone, or the removal of one that is referred to."""
    return isinstance(error, oslo_db.exception.DBReferenceError)


def is_recovery_conflict(error: Exception) -> bool:
    """Whether a hot standby of PostgreSQL cancelled a read because of what the primary has removed."""
    return getattr(getattr(_unwrapped(error), "orig", None), "sqlstate", None) == "40001"


def is_refusal(error: Exception) -> bool:
    """Whether the database refused a value, and would again."""
    return isinstance(error, oslo_db.exception.DBDataError) or _is(sa.exc.DataError, error)


def detail(error: Exception) -> str:
    """Return the first line of what the database's own library said: it holds no SQL, as SQLAlchemy's text does."""
    inner = _unwrapped(error)
    if isinstance(inner, sa.exc.TimeoutError):
        return "all connections of the pool are in use"
    said = inner.orig if isinstance(inner, sa.exc.DBAPIError) else type(inner).__name__
    return str(said).strip().partition("\n")[0]


def shown_url(url: sa.URL) -> str:
    """Return a connection URL as far as the log may show it: without password and parameters."""
    hosts = url.query.get("host", ())
    shown = sa.URL.create(url.get_backend_name(), url.username, None, url.host, url.port, url.database)
    text = shown.render_as_string()
    return f"{text} at {', '.join([hosts] if isinstance(hosts, str) else hosts)}" if hosts else text


def note_place(engine: sa.Engine) -> None:
    """Have each error of an engine's connections know which database it came from."""
    place = f" ({shown_url(engine.url)})"

    @sa.event.listens_for(engine, "handle_error")
    def note(context):
        context.original_exception.panko_place = place


def _is(kind: type[Exception] | tuple[type[Exception], ...], error: Exception) -> bool:
    return isinstance(_unwrapped(error), kind)


def _unwrapped(error: Exception) -> Exception:
    """Return SQLAlchemy's own exception, where oslo.db has put one of its own around it."""
    return getattr(error, "inner_exception", None) or error
