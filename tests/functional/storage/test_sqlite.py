# SPDX-License-Identifier: Apache-2.0
"""The storage contract on SQLite."""

import pytest

from tests.functional.storage.contract import StorageContract


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a file that does not exist yet."""
    return f"sqlite:///{tmp_path_factory.mktemp('contract') / 'panko.sqlite'}"


class TestSQLite(StorageContract):
    """The contract on SQLite."""
