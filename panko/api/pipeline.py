# SPDX-License-Identifier: Apache-2.0
"""Former names of the factories in :mod:`panko.api.middleware.factories`, which copies of api_paste.ini still have."""

from panko.api.middleware.factories import authtoken, basic_auth, cors, healthcheck, http_proxy_to_wsgi, request_id

__all__ = ["authtoken", "basic_auth", "cors", "healthcheck", "http_proxy_to_wsgi", "request_id"]
