# SPDX-License-Identifier: Apache-2.0
"""A connection to a database of the test."""

from collections.abc import Iterator

import pytest

from panko.storage.base import Connection
from tests.functional.storage.workers import connected


@pytest.fixture
def storage(any_url: str) -> Iterator[Connection]:
    """A connection to an empty database for this test, with a schema, once on each kind of database."""
    with connected(any_url) as storage:
        storage.upgrade()
        yield storage
