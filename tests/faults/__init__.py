# SPDX-License-Identifier: Apache-2.0
"""Faults of clients, databases and other servers, which Panko must survive."""
