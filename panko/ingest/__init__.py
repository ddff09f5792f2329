# SPDX-License-Identifier: Apache-2.0
"""Events from outside, decoded into models."""
