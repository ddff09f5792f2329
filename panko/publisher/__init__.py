# SPDX-License-Identifier: Apache-2.0
"""The event publisher that Ceilometer loads."""
