# SPDX-License-Identifier: Apache-2.0
"""Counts of events, by time and by what they share."""

import dataclasses
import datetime

import orjson
import pecan
import wsme

from panko.api import query
from panko.api.controllers.decorators import exposed
from panko.api.controllers.v2 import base
from panko.api.controllers.v2.schemas import EventQuery
from panko.api.routing import Resource
from panko.policies import event_counts


class EventCount(base.Base):
    """How many events there are of a group in a period."""

    start = wsme.wsattr(datetime.datetime)
    "When the period begins, in UTC; none where events of all time are counted together"

    group = wsme.wsattr(str)
    "What the events share; none where there are no groups, where they have no such trait, and for the other groups"

    other = wsme.wsattr(bool)
    "Whether these are the events of all groups beyond the limit"

    count = wsme.wsattr(int)
    "Number of events, never 0"

    @classmethod
    def sample(cls):
        """Return an example for the documentation."""
        start = datetime.datetime(2015, 1, 1, 12, 0, 0, 0)
        return cls(start=start, group="compute.instance.create.end", other=False, count=7)


class EventCountsController(Resource):
    """Answers for counts of events."""

    @exposed([EventCount], [EventQuery], str, str, int)
    def get_all(self, q=None, interval=None, group_by=None, limit=None):
        """Return how many events meet all filters.

        :param q: the filters
        :param interval: length of the periods that are counted by themselves: seconds, or ``5m``, ``1h``, ``1d``
        :param group_by: ``event_type``, or the name of a string trait, whose values are counted by themselves
        :param limit: how many groups, those with the most events; the others are counted as one
        """
        context = pecan.request.panko
        context.access.require(event_counts.INDEX)
        event_filter, all_tenants = query.parse_filters(q)
        counting = query.parse_counting(interval, group_by, limit)
        scope = context.access.scope_of_events(all_tenants)
        counts = context.storage.count_events(dataclasses.replace(event_filter, scope=scope), counting)
        return (_document(count) for count in counts)


def _document(count):
    document = {"start": count.start, "group": count.group, "other": count.is_other, "count": count.events}
    return orjson.dumps(document)
