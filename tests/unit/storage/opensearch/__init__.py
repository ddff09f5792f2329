# SPDX-License-Identifier: Apache-2.0
"""Tests of the parts of the OpenSearch driver that need no server."""
