# SPDX-License-Identifier: Apache-2.0
"""The root of version 2."""

import orjson
import pecan

from panko.api.controllers.decorators import expose_document
from panko.api.controllers.root import describe_version
from panko.api.controllers.v2.capabilities import CapabilitiesController
from panko.api.controllers.v2.event_counts import EventCountsController
from panko.api.controllers.v2.event_feed import EventFeedController
from panko.api.controllers.v2.event_types import EventTypesController
from panko.api.controllers.v2.events import EventsController
from panko.api.request import refuse_arguments
from panko.api.routing import Root


class V2Controller(Root):
    """The resources of version 2, and its version document."""

    capabilities = CapabilitiesController()
    event_counts = EventCountsController()
    event_feed = EventFeedController()
    event_types = EventTypesController()
    events = EventsController()

    @expose_document
    def get_all(self) -> bytes:
        """Return the document of this version."""
        refuse_arguments(pecan.request)
        return orjson.dumps({"version": describe_version(pecan.request.application_url)})
