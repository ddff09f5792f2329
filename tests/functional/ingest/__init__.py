# SPDX-License-Identifier: Apache-2.0
"""Events that come in by each way, into real databases."""
