# SPDX-License-Identifier: Apache-2.0
"""Policy rules and their defaults, one module per resource."""
