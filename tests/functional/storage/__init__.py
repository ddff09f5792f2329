# SPDX-License-Identifier: Apache-2.0
"""Tests of the storage drivers: the contract on each of them, migrations, faults and memory."""

import pytest

# Pytest explains the failed assertions of test modules only, unless it is told of others before they are imported.
pytest.register_assert_rewrite("tests.functional.storage.contract")
