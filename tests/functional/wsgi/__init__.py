# SPDX-License-Identifier: Apache-2.0
"""The embedded server of panko-api, with real sockets."""
