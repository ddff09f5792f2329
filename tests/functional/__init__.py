# SPDX-License-Identifier: Apache-2.0
"""Tests of parts together, with real databases."""
