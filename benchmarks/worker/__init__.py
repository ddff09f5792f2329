# SPDX-License-Identifier: Apache-2.0
"""What runs inside a measured process, the same for both sides: it imports only the panko installed there."""
