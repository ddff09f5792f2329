# SPDX-License-Identifier: Apache-2.0
"""Events, their types and their traits."""

import dataclasses
import json

import orjson
import pecan
from oslo_middleware.request_id import ENV_REQUEST_ID
from wsme.exc import ClientSideError

from panko.api import query
from panko.api.bodies import read_body
from panko.api.controllers.decorators import creating, exposed
from panko.api.controllers.v2.schemas import Event, EventQuery, Trait, TraitDescription
from panko.api.controllers.v2.trait_values import TraitValuesController
from panko.api.errors import NotFound, NothingStored
from panko.api.routing import Resource
from panko.ingest.batch import BatchTooLarge, store_batch
from panko.policies import event_types, events, traits
from panko.storage import deadlines
from panko.storage.base import Connection
from panko.storage.errors import InvalidEvent
from panko.storage.filters import EventFilter, Page
from panko.storage.models import TRAIT_TYPES_BY_DTYPE

__all__ = [
    "Event",
    "EventQuery",
    "EventTypesController",
    "EventsController",
    "Trait",
    "TraitDescription",
    "TraitsController",
]


class EventsController(Resource):
    """Answers for events."""

    @exposed([Event], [EventQuery], int, [str], str)
    def get_all(self, q=None, limit=None, sort=None, marker=None):
        """Return the events that meet all filters.

        :param q: the filters
        :param limit: how many events at most; the configuration says, where the request does not
        :param sort: keys to sort by, each with ``:asc`` or ``:desc`` after it, or nothing
        :param marker: message_id of the event after which the answer begins
        """
        context = pecan.request.panko
        context.access.require(events.INDEX)
        event_filter, all_tenants = query.parse_filters(q)
        page = query.parse_page(limit, sort, marker, context.limits.default, context.limits.largest)
        scope = context.access.scope_of_events(all_tenants)
        return context.storage.get_documents(dataclasses.replace(event_filter, scope=scope), page)

    @exposed(Event, str, str)
    def get_one(self, message_id, all_tenants=None):
        """Return one event.

        :param message_id: which one
        :param all_tenants: whether it may be another project's
        """
        context = pecan.request.panko
        context.access.require(events.SHOW)
        scope = context.access.scope_of_events(query.parse_all_tenants(all_tenants))
        found = list(context.storage.get_documents(EventFilter(message_id=message_id, scope=scope), Page(limit=1)))
        if not found:
            raise NotFound("Event", message_id)
        return found[0]

    @creating
    def post(self):
        """Store the events of the body: an array of them, or one."""
        request = pecan.request
        context = request.panko
        context.access.require_creation()
        body = read_body(request, context.limits.create_body)
        with deadlines.within(context.limits.query_timeout):
            return _store_body(context.storage, body, request.environ.get(ENV_REQUEST_ID))


def _store_body(storage: Connection, body: bytes, request_id: str | None) -> bytes:
    """Store the events of a body, and return the result as JSON.

    :raises ClientSideError: if the body holds no events, too many of them, or only events that were refused
    """
    try:
        result = store_batch(storage, body, request_id)
    except InvalidEvent as error:
        raise ClientSideError(f"The body of the request holds no events: {error}") from error
    except BatchTooLarge as error:
        raise ClientSideError(f"The body of the request holds {error}", status_code=413) from error
    refusals = [dataclasses.asdict(refused) for refused in result.refusals]
    if result.all_refused:
        raise NothingStored(refusals)
    account = {
        "stored": result.stored,
        "duplicates": result.duplicates,
        "refused": len(refusals),
        "refusals": refusals,
    }
    # Not orjson: a message_id repeats what the client sent, which may contain a lone surrogate.
    return json.dumps(account).encode()


class TraitsController(Resource):
    """Answers for the traits of the events of a type."""

    values = TraitValuesController()

    @exposed([TraitDescription], str)
    def get_all(self, event_type):
        """Return name and type of the traits that the events of a type have.

        :param event_type: name of the event type
        """
        context = pecan.request.panko
        context.access.require_details(traits.INDEX)
        found = context.storage.get_trait_types(event_type, context.access.scope_of_details())
        return (orjson.dumps({"name": trait.name, "type": trait.type.label}) for trait in found)

    @exposed([Trait], str, str)
    def get_one(self, event_type, trait_name):
        """Return every trait of a name that the events of a type have.

        :param event_type: name of the event type
        :param trait_name: name of the trait
        """
        context = pecan.request.panko
        context.access.require_details(traits.SHOW)
        found = context.storage.get_traits(event_type, trait_name, context.access.scope_of_details())
        return (_trait_document(trait) for trait in found)


def _trait_document(trait):
    trait_type = TRAIT_TYPES_BY_DTYPE[trait.dtype]
    return orjson.dumps({"name": trait.name, "value": trait_type.format(trait.value), "type": trait_type.label})


class EventTypesController(Resource):
    """Answers for the types of events."""

    traits = TraitsController()

    @exposed([str])
    def get_all(self):
        """Return the names of all event types."""
        context = pecan.request.panko
        context.access.require_details(event_types.INDEX)
        found = context.storage.get_event_types(context.access.scope_of_details())
        return (orjson.dumps(name) for name in found)

    @exposed(str, str)
    def get_one(self, event_type):
        """Never find an event type: nothing is known of one but its name and its traits.

        :param event_type: name of the event type
        """
        pecan.request.panko.access.require_details(event_types.INDEX)
        raise NotFound("Event type", event_type)
