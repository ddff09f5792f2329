# SPDX-License-Identifier: Apache-2.0
"""The distinct values of a trait."""

import dataclasses
import datetime

import orjson
import pecan
import wsme
import wsme.types
from wsme.exc import ClientSideError

from panko.api import query
from panko.api.controllers.decorators import exposed
from panko.api.controllers.v2 import base
from panko.api.controllers.v2.schemas import EventQuery
from panko.api.routing import Resource
from panko.policies import traits


class TraitValue(base.Base):
    """A value that events have in a trait."""

    value = wsme.wsattr(str, mandatory=True)
    "The value, as text whatever the type"

    type = wsme.wsattr(str, default="string")
    "What the text stands for: string, integer, float or datetime"

    count = wsme.wsattr(int)
    "How many of the events that were looked into have it"

    last = wsme.wsattr(datetime.datetime)
    "When the newest of them was generated, in UTC"

    @classmethod
    def sample(cls):
        """Return an example for the documentation."""
        return cls(value="active", type="string", count=12, last=datetime.datetime(2015, 1, 1, 12, 0, 0, 0))


class TraitValues(base.Base):
    """The values that a trait has in the newest events."""

    values = wsme.wsattr(wsme.types.ArrayType(TraitValue))
    "The values, each once"

    events = wsme.wsattr(int)
    "How many events were looked into"

    complete = wsme.wsattr(bool)
    "Whether these were all, and no value was left out"

    @classmethod
    def sample(cls):
        """Return an example for the documentation."""
        return cls(values=[TraitValue.sample()], events=20, complete=True)


class TraitValuesController(Resource):
    """Answers for the values of a trait in the events of a type."""

    @exposed(TraitValues, str, str, [EventQuery], int, str, int)
    def get_all(self, event_type, trait_name, q=None, limit=None, sort=None, events=None):
        """Return the distinct values of a trait in the newest events of a type.

        :param event_type: name of the event type
        :param trait_name: name of the trait
        :param q: filters that the events are to meet as well
        :param limit: how many values at most
        :param sort: ``count`` (the default) for the most frequent values first, ``last`` for the newest
        :param events: how many of the newest events are looked into
        """
        context = pecan.request.panko
        context.access.require(traits.VALUES)
        event_filter, all_tenants = query.parse_filters(q)
        if event_filter.event_type:
            raise ClientSideError("Parameter event_type was given several times")
        look = query.parse_look(limit, sort, events, context.limits.default)
        scope = context.access.scope_of_events(all_tenants)
        of_type = dataclasses.replace(event_filter, event_type=(event_type,), scope=scope)
        found = context.storage.get_trait_values(trait_name, of_type, look.events)
        values = look.choose(found.values)
        complete = found.complete and len(values) == len(found.values)
        document = {"values": [_document(each) for each in values], "events": found.events, "complete": complete}
        return orjson.dumps(document)


def _document(each):
    return {"value": each.type.format(each.value), "type": each.type.label, "count": each.count, "last": each.last}
