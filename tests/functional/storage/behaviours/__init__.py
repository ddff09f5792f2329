# SPDX-License-Identifier: Apache-2.0
"""The contract by theme: each module has one class of behaviours."""
