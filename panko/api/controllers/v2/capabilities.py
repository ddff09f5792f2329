# SPDX-License-Identifier: Apache-2.0
"""The capabilities of the API and of the storage driver."""

import orjson
import pecan

from panko.api.controllers.decorators import expose_get
from panko.api.controllers.v2 import base
from panko.api.hooks import Context
from panko.api.routing import Resource


class Capabilities(base.Base):
    """The capabilities of the API and of its storage."""

    api = {str: bool}
    "Capabilities of the API, by name"

    event_storage = {str: bool}
    "Capabilities of the event storage, by name"

    @classmethod
    def sample(cls) -> "Capabilities":
        """Return an example for the documentation."""
        return cls(api={"events:query:simple": True}, event_storage={"storage:production_ready": True})


class CapabilitiesController(Resource):
    """The capabilities of this service, for any caller."""

    @expose_get(Capabilities)
    def get_all(self) -> bytes:
        """Return the capabilities of the API and of its storage."""
        context: Context = pecan.request.panko
        storage = context.storage
        return orjson.dumps({"api": storage.get_capabilities(), "event_storage": storage.get_storage_capabilities()})
