# SPDX-License-Identifier: Apache-2.0
"""Tests of the storage driver for OpenSearch that need no cluster."""
