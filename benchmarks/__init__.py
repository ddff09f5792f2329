# SPDX-License-Identifier: Apache-2.0
"""Storage and API measured beside Panko 10.0, which runs as a black box in a virtual environment of its own."""
