# SPDX-License-Identifier: Apache-2.0
"""Tests of several parts together, with real databases and processes."""
