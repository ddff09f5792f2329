# SPDX-License-Identifier: Apache-2.0
"""What the databases' libraries raise, and what it means in the contract."""

import contextlib
from collections.abc import Iterator

import oslo_db.exception
import sqlalchemy as sa

from panko.storage.errors import SchemaMismatch, StorageUnavailable

DATABASE_ERRORS = (oslo_db.exception.DBError, sa.exc.SQLAlchemyError)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise what the databases' libraries raise as the contract's errors.

    The original is left out of their tracebacks, whoever may log these: its text holds SQL with the values of events.
    """
    try:
        yield
    except DATABASE_ERRORS as error:
        if isinstance(error, oslo_db.exception.DBNonExistentTable) or _is(sa.exc.ProgrammingError, error):
            raise SchemaMismatch("The database's schema is not this version's. Run panko-dbsync.") from None
        raise StorageUnavailable(detail(error)) from None


def is_duplicate(error: Exception) -> bool:
    """Whether a row is there already that was to be inserted."""
    return isinstance(error, oslo_db.exception.DBDuplicateEntry)


def is_refusal(error: Exception) -> bool:
    """Whether the database refused a value, and would again."""
    return isinstance(error, oslo_db.exception.DBDataError) or _is(sa.exc.DataError, error)


def detail(error: Exception) -> str:
    """Return the first line of what the database's own library said: it holds no SQL, as SQLAlchemy's text does."""
    inner = _unwrapped(error)
    said = inner.orig if isinstance(inner, sa.exc.DBAPIError) else type(inner).__name__
    return str(said).strip().partition("\n")[0]


def _is(kind: type[Exception], error: Exception) -> bool:
    return isinstance(_unwrapped(error), kind)


def _unwrapped(error: Exception) -> Exception:
    """Return SQLAlchemy's own exception, where oslo.db has put one of its own around it."""
    return getattr(error, "inner_exception", None) or error
