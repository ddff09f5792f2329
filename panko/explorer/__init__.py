# SPDX-License-Identifier: Apache-2.0
"""The explorer: pages to look at events in a browser. It reads what the API would answer to the same caller."""
