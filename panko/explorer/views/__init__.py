# SPDX-License-Identifier: Apache-2.0
"""What templates show: immutable values, made of what the storage returns."""
