# SPDX-License-Identifier: Apache-2.0
"""The code inside a measured process, the same for both sides: it imports the panko that is installed there."""
