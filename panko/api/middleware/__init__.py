# SPDX-License-Identifier: Apache-2.0
"""The WSGI middleware of the pipelines in api_paste.ini."""
