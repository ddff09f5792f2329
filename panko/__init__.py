# SPDX-License-Identifier: Apache-2.0
"""Panko: the store and REST API of OpenStack events."""
