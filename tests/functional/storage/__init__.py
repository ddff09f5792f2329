# SPDX-License-Identifier: Apache-2.0
"""Tests of the storage drivers: the contract on each database, migrations, faults and memory."""

import pytest

# Pytest explains failed assertions only in test modules and in modules registered before their import.
pytest.register_assert_rewrite("tests.functional.storage.contract")
