# SPDX-License-Identifier: Apache-2.0
"""Conversion of a database that Panko 10 made."""
