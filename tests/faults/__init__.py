# SPDX-License-Identifier: Apache-2.0
"""What clients, databases and other servers do wrong, and that Panko survives it."""
