# SPDX-License-Identifier: Apache-2.0
"""Tests that follow the pages of doc/source/install."""
