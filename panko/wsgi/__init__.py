# SPDX-License-Identifier: Apache-2.0
"""The server of panko-api, and the application for other WSGI servers."""
