# SPDX-License-Identifier: Apache-2.0
"""Events; and the documented names of all types and controllers of events, event types and traits."""

import dataclasses
import json
from collections.abc import Iterable, Sequence

import pecan
from oslo_middleware.request_id import ENV_REQUEST_ID
from wsme.exc import ClientSideError

from panko.api import filters, query
from panko.api.controllers.decorators import expose_create, expose_get
from panko.api.controllers.v2.base import FILTER_TEXTS
from panko.api.controllers.v2.event_types import EventTypesController, TraitsController
from panko.api.controllers.v2.schemas import Event, EventQuery, Trait, TraitDescription
from panko.api.errors import NotFound, NothingStored
from panko.api.hooks import Context
from panko.api.pages import DocumentPage, Links
from panko.api.response import EVENT_TYPES
from panko.api.routing import Resource
from panko.ingest.batch import BatchTooLarge, store_batch
from panko.policies import events
from panko.storage.base import Connection
from panko.storage.errors import InvalidEvent
from panko.storage.filters import EventFilter, Page

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
    """Events."""

    @expose_get([Event], [EventQuery], int, [str], str, str, [str], FILTER_TEXTS, str, content_types=EVENT_TYPES)
    def get_all(
        self,
        q: Sequence[EventQuery] | None = None,
        limit: int | None = None,
        sort: Sequence[str] | None = None,
        marker: str | None = None,
        after: str | None = None,
        columns: Sequence[str] | None = None,
        filter: Sequence[str] | None = None,
        all_tenants: str | None = None,
    ) -> Iterable[bytes]:
        """Return the events that meet all filters, and a link to the next page if there are more.

        :param q: the filters
        :param limit: maximum number of events; the default is configured
        :param sort: sort keys, each with an optional direction, ``:asc`` or ``:desc``
        :param marker: message_id of the last event of the previous page
        :param after: from the link to this page
        :param columns: names of the traits that have a column, if the response is CSV
        :param filter: texts in the filter language; the events meet all of them, too
        :param all_tenants: whether to include the events of all projects
        """
        context: Context = pecan.request.panko
        context.authorization.require(events.INDEX)
        selection = filters.parse_selection(q, filter, all_tenants)
        links = Links(pecan.request, "marker", selection.absolute_texts)
        begin = links.parse_after(after, marker) or marker
        page = query.parse_page(limit, sort, begin, context.limits.default_limit, context.limits.max_limit)
        names = query.parse_columns(columns)
        return DocumentPage(context.storage, context.select(selection), page, links, names)

    @expose_get(Event, str, str)
    def get_one(self, message_id: str, all_tenants: str | None = None) -> bytes:
        """Return one event.

        :param message_id: the event's id
        :param all_tenants: whether to look in the events of all projects
        """
        context: Context = pecan.request.panko
        context.authorization.require(events.SHOW)
        scope = context.authorization.event_scope(query.parse_all_tenants(all_tenants))
        event_filter = EventFilter(message_id=(message_id,), scope=scope)
        documents = list(context.storage.get_documents(event_filter, Page(limit=1)))
        if not documents:
            raise NotFound("Event", message_id)
        return documents[0]

    @expose_create
    def post(self, body: bytes) -> bytes:
        """Store the events of the body, which is one event or an array of events.

        :param body: JSON
        """
        request = pecan.request
        return _store_body(request.panko.storage, body, request.environ.get(ENV_REQUEST_ID))


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
