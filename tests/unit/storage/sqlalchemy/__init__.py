# SPDX-License-Identifier: Apache-2.0
"""Tests of what the SQL driver works out itself, without a database."""
