# SPDX-License-Identifier: Apache-2.0
"""Panko beside what fails: peers, databases, clients."""
