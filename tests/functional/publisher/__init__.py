# SPDX-License-Identifier: Apache-2.0
"""The publisher panko:// with real databases."""
