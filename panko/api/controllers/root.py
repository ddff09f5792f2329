# SPDX-License-Identifier: Apache-2.0
"""The versions of the API."""

from collections.abc import Callable, Sequence

import orjson
import pecan
import webob

from panko.api.controllers.decorators import negotiate, respond_with
from panko.api.negotiation import JSON
from panko.api.routing import Branch

MEDIA_TYPES = [
    {"base": "application/json", "type": "application/vnd.openstack.telemetry-v2+json"},
    {"base": "application/xml", "type": "application/vnd.openstack.telemetry-v2+xml"},
]
DOCUMENTATION = {"href": "https://docs.openstack.org/", "rel": "describedby", "type": "text/html"}


class VersionsController(Branch):
    """Tells a client, whoever it is and whatever the method, where each version is."""

    @pecan.expose()
    def _route(self, args: Sequence[str], request: webob.Request) -> tuple[Callable, list[str]]:
        """Return the method that answers for the root, which has nothing below it."""
        return super()._route(args, request) if any(args) else (self.index, [])

    @pecan.expose(content_type=JSON)
    def index(self):
        """Return the version document."""
        content_type = negotiate(pecan.request, (JSON,))
        version = describe_version(f"{pecan.request.application_url}/v2")
        document = {"versions": {"values": [version]}}
        return respond_with(orjson.dumps(document), None, content_type, pecan.request)


def describe_version(url: str) -> dict:
    """Return what the version documents say of version 2, whose URL is given."""
    return {
        "id": "v2",
        "links": [{"href": url, "rel": "self"}, DOCUMENTATION],
        "media-types": MEDIA_TYPES,
        "status": "stable",
        "updated": "2013-02-13T00:00:00Z",
    }
