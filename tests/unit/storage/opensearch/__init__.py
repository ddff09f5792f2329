# SPDX-License-Identifier: Apache-2.0
"""Tests of the parts of the SQL driver that need no database."""
