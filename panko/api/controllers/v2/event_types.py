# SPDX-License-Identifier: Apache-2.0
"""Event types, their traits, and the values of traits."""

import datetime
from collections.abc import Iterator, Sequence
from typing import NoReturn

import orjson
import pecan
import wsme
import wsme.types
from wsme.exc import ClientSideError

from panko.api import filters, query
from panko.api.controllers.decorators import expose_get
from panko.api.controllers.v2 import base
from panko.api.controllers.v2.schemas import EventQuery, Trait, TraitDescription
from panko.api.errors import NotFound
from panko.api.hooks import Context
from panko.api.routing import Resource
from panko.policies import event_types, traits
from panko.storage import aggregates, models
from panko.storage.models import TRAIT_TYPES_BY_DTYPE


class TraitValue(base.Base):
    """A distinct value of a trait."""

    value = wsme.wsattr(str, mandatory=True)
    "The value as text, whatever its type"

    type = wsme.wsattr(str, default="string")
    "Type of the value: string, integer, float or datetime"

    count = wsme.wsattr(int)
    "Number of examined events that have it"

    last = wsme.wsattr(datetime.datetime)
    "When the newest of them was generated, in UTC"

    @classmethod
    def sample(cls) -> "TraitValue":
        """Return an example for the documentation."""
        return cls(value="active", type="string", count=12, last=datetime.datetime(2015, 1, 1, 12, 0, 0, 0))


class TraitValues(base.Base):
    """The distinct values of a trait in the newest events."""

    values = wsme.wsattr(wsme.types.ArrayType(TraitValue))
    "The values"

    events = wsme.wsattr(int)
    "Number of examined events"

    complete = wsme.wsattr(bool)
    "Whether all events were examined and all values are listed"

    @classmethod
    def sample(cls) -> "TraitValues":
        """Return an example for the documentation."""
        return cls(values=[TraitValue.sample()], events=20, complete=True)


class TraitValuesController(Resource):
    """The distinct values of a trait in the events of a type."""

    @expose_get(TraitValues, str, str, [EventQuery], int, str, int, base.FILTER_TEXTS, str)
    def get_all(
        self,
        event_type: str,
        trait_name: str,
        q: Sequence[EventQuery] | None = None,
        limit: int | None = None,
        sort: str | None = None,
        events: int | None = None,
        filter: Sequence[str] | None = None,
        all_tenants: str | None = None,
    ) -> bytes:
        """Return the distinct values of a trait in the newest events of a type.

        :param event_type: name of the event type
        :param trait_name: name of the trait
        :param q: filters that the events must meet as well
        :param limit: maximum number of values
        :param sort: ``count`` (the default) for the most frequent values first, ``last`` for the newest first
        :param events: how many of the newest events to examine
        :param filter: texts in the filter language; the events meet all of them, too
        :param all_tenants: whether to include the events of all projects
        """
        context: Context = pecan.request.panko
        context.authorization.require(traits.VALUES)
        of_q = filters.parse_q(q, all_tenants)
        if of_q.event_filter.event_type:
            raise ClientSideError("Parameter event_type was given several times")
        values_query = query.parse_values_query(limit, sort, events, context.limits.default_limit)
        of_type = filters.restrict_to_type(of_q, event_type)
        selected = context.select(filters.add_texts(of_type, filter))
        found = context.storage.get_trait_values(trait_name, selected, values_query.events)
        values = values_query.select(found.values)
        complete = found.complete and len(values) == len(found.values)
        document = {"values": [_describe_value(each) for each in values], "events": found.events, "complete": complete}
        return orjson.dumps(document)


def _describe_value(each: aggregates.TraitValue) -> dict[str, object]:
    return {"value": each.type.format(each.value), "type": each.type.label, "count": each.count, "last": each.last}


class TraitsController(Resource):
    """The traits of an event type."""

    values = TraitValuesController()

    @expose_get([TraitDescription], str)
    def get_all(self, event_type: str) -> Iterator[bytes]:
        """Return name and type of the traits of an event type.

        :param event_type: name of the event type
        """
        context: Context = pecan.request.panko
        context.authorization.require_catalog(traits.INDEX)
        found = context.storage.get_trait_types(event_type, context.authorization.catalog_scope())
        return (orjson.dumps({"name": trait.name, "type": trait.type.label}) for trait in found)

    @expose_get([Trait], str, str)
    def get_one(self, event_type: str, trait_name: str) -> Iterator[bytes]:
        """Return every instance of a trait in the events of a type.

        :param event_type: name of the event type
        :param trait_name: name of the trait
        """
        context: Context = pecan.request.panko
        context.authorization.require_catalog(traits.SHOW)
        found = context.storage.get_traits(event_type, trait_name, context.authorization.catalog_scope())
        return (_render_trait(trait) for trait in found)


def _render_trait(trait: models.Trait) -> bytes:
    trait_type = TRAIT_TYPES_BY_DTYPE[trait.dtype]
    return orjson.dumps({"name": trait.name, "value": trait_type.format(trait.value), "type": trait_type.label})


class EventTypesController(Resource):
    """The types of events."""

    traits = TraitsController()

    @expose_get([str])
    def get_all(self) -> Iterator[bytes]:
        """Return the names of all event types."""
        context: Context = pecan.request.panko
        context.authorization.require_catalog(event_types.INDEX)
        found = context.storage.get_event_types(context.authorization.catalog_scope())
        return (orjson.dumps(name) for name in found)

    @expose_get(str, str)
    def get_one(self, event_type: str) -> NoReturn:
        """Respond with 404: an event type has only its name and its traits.

        :param event_type: name of the event type
        """
        pecan.request.panko.authorization.require_catalog(event_types.INDEX)
        raise NotFound("Event type", event_type)
