# SPDX-License-Identifier: Apache-2.0
"""What Ceilometer loads to publish events."""
