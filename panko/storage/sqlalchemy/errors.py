# SPDX-License-Identifier: Apache-2.0
"""Errors of the client libraries: what they mean in the contract, and which are worth a retry."""

import contextlib
import logging
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import oslo_db.exception
import sqlalchemy as sa
from oslo_db import api as db_api
from oslo_db.sqlalchemy import exc_filters

from panko.storage import errors
from panko.storage.errors import SchemaMismatch, StorageError, StorageTimeout, StorageUnavailable
from panko.storage.urls import redact_url

DATABASE_ERRORS = (oslo_db.exception.DBError, sa.exc.SQLAlchemyError)

STATEMENT_ERRORS = (sa.exc.ProgrammingError, sa.exc.DataError, sa.exc.NotSupportedError)
"""Errors of statements that would fail again: the database does respond."""

SQLSTATES: dict[str | None, type[StorageError]] = {
    "28000": errors.AccessDenied,
    "28P01": errors.AccessDenied,
    "2BP01": errors.StatementFailed,
    "3D000": errors.DatabaseMissing,
    "42501": errors.PermissionDenied,
    "3F000": SchemaMismatch,
    "42P01": SchemaMismatch,
    "42703": SchemaMismatch,
    "53100": errors.StorageFull,
    "57014": errors.QueryTimeout,
    "25006": errors.StorageReadOnly,
}
"""PostgreSQL's error codes."""

LOGIN_MESSAGES = (
    (re.compile(r"authentication failed|pg_hba\.conf|no password supplied|role \".*\" does not exist"), "28P01"),
    (re.compile(r"database \".*\" does not exist"), "3D000"),
    (re.compile(r"permission denied for database"), "42501"),
)
"""PostgreSQL's messages during login: libpq does not pass on the error codes."""

MYSQL_CODES: dict[int, type[StorageError]] = {
    **dict.fromkeys((1045, 1130, 1251, 1698), errors.AccessDenied),
    1049: errors.DatabaseMissing,
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370), errors.PermissionDenied),
    **dict.fromkeys((1054, 1146), SchemaMismatch),
    **dict.fromkeys((1021, 1114), errors.StorageFull),
    **dict.fromkeys((1969, 3024), errors.QueryTimeout),
    **dict.fromkeys((1290, 1792, 1836), errors.StorageReadOnly),
}
"""Error codes of MariaDB and MySQL."""

SQLITE_CODES: dict[int, type[StorageError]] = {
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
"""SQLite's primary result codes."""

_PLACE = "panko_place"
"""Attribute of the exceptions of our engines: the database that raised them."""

_FILTERS_LOG = logging.getLogger("oslo_db.sqlalchemy.exc_filters")

MAX_RETRIES = 20
"""Retries of one transaction that conflicts with others."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def register_handlers(engine: sa.Engine) -> None:
    """Have an engine raise oslo.db's exceptions, whose originals know which database they come from."""
    place = f" ({name_database(engine.url)})"

    @sa.event.listens_for(engine, "handle_error")
    def note_place(context: sa.engine.ExceptionContext) -> None:
        setattr(context.original_exception, _PLACE, place)

    # Not by a level: in another program's process, such as Ceilometer's, the levels are its own.
    _FILTERS_LOG.addFilter(_is_foreign)
    exc_filters.register_engine(engine)


def _is_foreign(record: logging.LogRecord) -> bool:
    """Return whether a log record of oslo.db is not about one of our engines.

    About ours it logs a traceback with the SQL of a whole batch and the values of its events, although it also raises
    the error.
    """
    return not (record.exc_info and hasattr(record.exc_info[1], _PLACE))


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise errors of SQLAlchemy and oslo.db as those of the contract.

    The original is left out of their tracebacks, as its text contains SQL with the values of events.
    """
    start = time.monotonic()
    try:
        yield
    except DATABASE_ERRORS as error:
        raise _translate(error, time.monotonic() - start) from None


def _translate(error: Exception, seconds: float) -> StorageError:
    """Return the contract's error for an error of SQLAlchemy or oslo.db.

    :param seconds: duration of the failed call
    """
    original = getattr(_unwrap(error), "orig", None) or error
    error_class = _find_error_class(original, error)
    message = describe(error)
    place = getattr(original, _PLACE, "")
    if error_class is SchemaMismatch:
        return SchemaMismatch(f"The database's schema is not this version's: {message}{place}. Run panko-dbsync.")
    if error_class is StorageTimeout:
        message = f"no answer within {seconds:.0f} s: {message}"
    return error_class(f"{message}{place}.")


def _find_error_class(original: BaseException, error: Exception) -> type[StorageError]:
    if isinstance(error, sa.exc.TimeoutError) or is_timeout(original):
        return StorageTimeout
    error_class: type[StorageError] | None
    if isinstance(original, sqlite3.Error):
        error_class = _find_sqlite_error_class(original)
    elif isinstance(code := next(iter(original.args), None), int):
        error_class = MYSQL_CODES.get(code)
    else:
        error_class = SQLSTATES.get(getattr(original, "sqlstate", None) or _find_login_state(str(original)))
    if error_class is not None:
        return error_class
    return errors.StatementFailed if isinstance(_unwrap(error), STATEMENT_ERRORS) else StorageUnavailable


def _find_sqlite_error_class(error: sqlite3.Error) -> type[StorageError] | None:
    if str(error).startswith(("no such table", "no such column")):
        return SchemaMismatch
    return SQLITE_CODES.get(_primary_code(error))


def _primary_code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _find_login_state(message: str) -> str | None:
    return next((state for pattern, state in LOGIN_MESSAGES if pattern.search(message)), None)


def retry_on_conflict(
    also_on: Callable[[Exception], bool] = lambda error: False,
) -> Callable[[Callable[_Parameters, _Result]], Callable[_Parameters, _Result]]:
    """Return a decorator for a function that runs one transaction and has no other lasting effect.

    Retry after a deadlock, a lock timeout or a conflict with another node of a Galera cluster, up to MAX_RETRIES
    times. The pauses are random and growing, so that two transactions do not conflict again.

    :param also_on: returns whether to retry after another exception
    """
    retry: Callable[[Callable[_Parameters, _Result]], Callable[_Parameters, _Result]] = db_api.wrap_db_retry(
        retry_interval=0.01,
        max_retries=MAX_RETRIES,
        max_retry_interval=1,
        retry_on_deadlock=True,
        exception_checker=also_on,
        jitter=True,
    )
    return retry


def is_timeout(original: BaseException) -> bool:
    """Return whether a client library gave up waiting for an answer."""
    # Compare names, as the libraries may not be installed; PyMySQL has no class for timeouts.
    return type(original).__name__ in ("ServerTimeout", "ConnectionTimeout") or "timed out" in str(original)


def is_busy(original: BaseException) -> bool:
    """Return whether another connection's transaction locks SQLite's database."""
    return _primary_code(original) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_duplicate_key(error: Exception) -> bool:
    """Return whether the key of a new row exists already."""
    return isinstance(error, oslo_db.exception.DBDuplicateEntry)


def is_missing_reference(error: Exception) -> bool:
    """Return whether a new row refers to a missing one, or a row to be deleted is still referred to."""
    return isinstance(error, oslo_db.exception.DBReferenceError)


def is_recovery_conflict(error: Exception) -> bool:
    """Return whether a hot standby of PostgreSQL canceled a read because of what the primary has removed."""
    return getattr(getattr(_unwrap(error), "orig", None), "sqlstate", None) == "40001"


def is_read_only(error: Exception) -> bool:
    """Return whether the database accepts no changes, or none by this user."""
    original = getattr(_unwrap(error), "orig", None) or error
    return issubclass(_find_error_class(original, error), errors.StorageReadOnly | errors.PermissionDenied)


def is_invalid_value(error: Exception) -> bool:
    """Return whether the database rejected a value, and would reject it again."""
    return isinstance(error, oslo_db.exception.DBDataError) or isinstance(_unwrap(error), sa.exc.DataError)


def describe(error: Exception) -> str:
    """Return the first line of the client library's own message, which contains no SQL, unlike SQLAlchemy's."""
    inner = _unwrap(error)
    if isinstance(inner, sa.exc.TimeoutError):
        return "all connections of the pool are in use"
    message = inner.orig if isinstance(inner, sa.exc.DBAPIError) else type(inner).__name__
    return str(message).strip().partition("\n")[0]


def name_database(url: sa.URL) -> str:
    """Return a connection URL without password and parameters, but with the hosts in these, as the log may show it."""
    hosts = url.query.get("host", ())
    url = url.set(drivername=url.get_backend_name(), database=url.database and url.database.removeprefix("file:"))
    text = redact_url(url.render_as_string(hide_password=False), keep_user=True)
    return f"{text} at {', '.join([hosts] if isinstance(hosts, str) else hosts)}" if hosts else text


def _unwrap(error: Exception) -> Exception:
    """Return SQLAlchemy's exception inside an exception of oslo.db."""
    return getattr(error, "inner_exception", None) or error
