# SPDX-License-Identifier: Apache-2.0
"""The storage contract on MariaDB."""

from collections.abc import Callable

import pytest

from tests.functional.storage.contract import StorageContract
from tests.servers import MariaDB, Server


@pytest.fixture(scope="module")
def url(create_database: Callable[[Server], str], mysql_server: MariaDB) -> str:
    """The URL of an empty database; its bare scheme chooses the driver."""
    return create_database(mysql_server)


class TestMySQL(StorageContract):
    """All behaviours on MariaDB."""
