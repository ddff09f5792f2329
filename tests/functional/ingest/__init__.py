# SPDX-License-Identifier: Apache-2.0
"""Ingestion of events into real databases."""
