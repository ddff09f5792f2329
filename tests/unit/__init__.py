# SPDX-License-Identifier: Apache-2.0
"""Tests of one part at a time, without servers."""
