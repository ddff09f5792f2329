# SPDX-License-Identifier: Apache-2.0
"""Panko in a cloud: real Keystone, real clients, real commands."""
