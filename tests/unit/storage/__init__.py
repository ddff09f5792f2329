# SPDX-License-Identifier: Apache-2.0
"""Tests of the storage contract's values, without a database."""
