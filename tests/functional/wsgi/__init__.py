# SPDX-License-Identifier: Apache-2.0
"""Tests of the server that panko-api embeds, with real sockets."""
