# SPDX-License-Identifier: Apache-2.0
"""The root of version 2."""

from panko.api.controllers.v2.capabilities import CapabilitiesController
from panko.api.controllers.v2.event_counts import EventCountsController
from panko.api.controllers.v2.events import EventsController, EventTypesController
from panko.api.routing import Branch


class V2Controller(Branch):
    """Leads to the resources of version 2."""

    capabilities = CapabilitiesController()
    event_counts = EventCountsController()
    event_types = EventTypesController()
    events = EventsController()
