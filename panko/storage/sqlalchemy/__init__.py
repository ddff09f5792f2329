# SPDX-License-Identifier: Apache-2.0
"""How events lie in SQL databases."""
