# SPDX-License-Identifier: Apache-2.0
"""The root of version 2."""

import orjson
import pecan

from panko.api.controllers.decorators import negotiate, refuse_arguments, respond_with
from panko.api.controllers.root import describe_version
from panko.api.controllers.v2.capabilities import CapabilitiesController
from panko.api.controllers.v2.event_counts import EventCountsController
from panko.api.controllers.v2.events import EventsController, EventTypesController
from panko.api.negotiation import JSON
from panko.api.routing import Root


class V2Controller(Root):
    """Leads to the resources of version 2, and describes the version."""

    capabilities = CapabilitiesController()
    event_counts = EventCountsController()
    event_types = EventTypesController()
    events = EventsController()

    @pecan.expose(content_type=JSON)
    def get_all(self):
        """Return the document of this version."""
        request = pecan.request
        content_type = negotiate(request, (JSON,))
        refuse_arguments(request)
        document = {"version": describe_version(request.application_url)}
        return respond_with(orjson.dumps(document), None, content_type, request)
