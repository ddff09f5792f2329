# SPDX-License-Identifier: Apache-2.0
"""What the service, and the storage driver behind it, can do."""

import orjson
import pecan

from panko.api.controllers.decorators import exposed
from panko.api.controllers.v2 import base
from panko.api.routing import Resource


class Capabilities(base.Base):
    """What can be asked of the API, and what its storage is fit for."""

    api = {str: bool}
    "What the API can do, by name"

    event_storage = {str: bool}
    "What the storage of events is fit for, by name"

    @classmethod
    def sample(cls):
        """Return an example for the documentation."""
        return cls(api={"events:query:simple": True}, event_storage={"storage:production_ready": True})


class CapabilitiesController(Resource):
    """Tells anyone what this service can do."""

    @exposed(Capabilities)
    def get_all(self):
        """Return the capabilities of the API and of its storage."""
        storage = pecan.request.panko.storage
        return orjson.dumps({"api": storage.get_capabilities(), "event_storage": storage.get_storage_capabilities()})
