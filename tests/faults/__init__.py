# SPDX-License-Identifier: Apache-2.0
"""Tests of what goes wrong around Panko: peers that hang, die or are misconfigured."""
