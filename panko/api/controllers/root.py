# SPDX-License-Identifier: Apache-2.0
"""The versions of the API."""

import http
from collections.abc import Sequence
from typing import Any

import orjson
import pecan

from panko.api.controllers.decorators import expose_document
from panko.api.routing import EndpointMethod, Root

MEDIA_TYPES = [
    {"base": "application/json", "type": "application/vnd.openstack.telemetry-v2+json"},
    {"base": "application/xml", "type": "application/vnd.openstack.telemetry-v2+xml"},
]
DOCUMENTATION = {"href": "https://docs.openstack.org/", "rel": "describedby", "type": "text/html"}


class VersionsController(Root):
    """The version document, for any caller and any HTTP method."""

    def find_method(self, segments: Sequence[str], http_method: str) -> tuple[EndpointMethod, list[str]]:
        """Return the method that responds to the root; every HTTP method is treated as GET."""
        return super().find_method(segments, http.HTTPMethod.GET)

    @expose_document
    def get_all(self) -> bytes:
        """Return the version document."""
        version = describe_version(f"{pecan.request.application_url}/v2")
        return orjson.dumps({"versions": {"values": [version]}})


def describe_version(url: str) -> dict[str, Any]:
    """Return the description of version 2 for version documents.

    :param url: where version 2 is served
    """
    return {
        "id": "v2",
        "links": [{"href": url, "rel": "self"}, DOCUMENTATION],
        "media-types": MEDIA_TYPES,
        "status": "stable",
        "updated": "2013-02-13T00:00:00Z",
    }
