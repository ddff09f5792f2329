# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of storage and API, compared with Panko 10.0 in a virtual environment of its own."""
