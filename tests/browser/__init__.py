# SPDX-License-Identifier: Apache-2.0
"""The explorer's pages in a real browser."""
