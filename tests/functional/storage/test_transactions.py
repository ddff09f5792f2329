# SPDX-License-Identifier: Apache-2.0
"""Connections of MariaDB and MySQL that return to the pool: no transaction is left open, and none is ended twice."""

import pytest
from oslo_db.exception import DBError

from panko.storage import EventFilter
from panko.storage.errors import StorageError
from tests.functional.storage.builders import event, found

pytestmark = pytest.mark.parametrize("any_url", ["mysql"], indirect=True)


def count_rollbacks(storage) -> int:
    """Return how many rollbacks the one connection of the pool has executed."""
    with storage._engine.connect() as connection:
        return int(connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Com_rollback'").one()[1])


def is_open(storage) -> bool:
    """Return whether the one connection of the pool returned within a transaction."""
    with storage._engine.connect() as connection:
        return bool(connection.exec_driver_sql("SELECT @@in_transaction").scalar())


def test_commit_is_not_followed_by_a_rollback(any_storage):
    any_storage.record_events([event("first")])
    before = count_rollbacks(any_storage)
    for number in range(3):
        any_storage.record_events([event(f"m{number}")])
    # The one after the statement that counts.
    assert count_rollbacks(any_storage) == before + 1


def test_no_transaction_is_left_open(any_storage):
    """After a read, after a statement that failed, and after a transaction that was not committed."""
    any_storage.record_events([event("a")])
    assert not is_open(any_storage)
    assert found(any_storage) == ["a"]
    assert not is_open(any_storage)
    assert any_storage.record_events([event("a"), event("b")]).duplicates == 1
    assert not is_open(any_storage)
    with any_storage._engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO event_type VALUES (1, 'lost')")
        with pytest.raises(DBError):
            connection.exec_driver_sql("no SQL")
    assert not is_open(any_storage)
    with any_storage._engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO event_type VALUES (1, 'lost')")
    assert not is_open(any_storage)
    assert list(any_storage.get_event_types()) == ["sample.created"]


def test_failed_batch_leaves_nothing_behind(any_storage, monkeypatch):
    def fail(*arguments):
        raise StorageError("the last statement fails")

    monkeypatch.setattr(any_storage._dialect, "insert_entry", fail)
    with pytest.raises(StorageError):
        any_storage.record_events([event("a")])
    assert not is_open(any_storage)
    monkeypatch.undo()
    assert list(any_storage.get_documents(EventFilter())) == []
