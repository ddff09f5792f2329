# SPDX-License-Identifier: Apache-2.0
"""Tests of panko.osc.v2, the commands."""
