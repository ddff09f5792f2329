# SPDX-License-Identifier: Apache-2.0
"""Version 2 of the REST API."""
