# SPDX-License-Identifier: Apache-2.0
"""The bridge and its waiting room, without a socket."""
