# SPDX-License-Identifier: Apache-2.0
"""Tests of what draws the pictures of the documentation."""
