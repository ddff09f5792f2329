# SPDX-License-Identifier: Apache-2.0
"""Counts of events, by time and group."""

import datetime
from collections.abc import Iterator, Sequence

import orjson
import pecan
import wsme

from panko.api import filters, query
from panko.api.controllers.decorators import expose_get
from panko.api.controllers.v2 import base
from panko.api.controllers.v2.schemas import EventQuery
from panko.api.hooks import Context
from panko.api.routing import Resource
from panko.policies import event_counts
from panko.storage import aggregates


class EventCount(base.Base):
    """The number of events of a group in a period."""

    start = wsme.wsattr(datetime.datetime)
    "Start of the period, in UTC; null without an interval"

    group = wsme.wsattr(str)
    "Event type or trait value that the events share; null without groups, for other groups, and without such a trait"

    other = wsme.wsattr(bool)
    "Whether these are the events of all groups beyond the limit"

    count = wsme.wsattr(int)
    "Number of events, never 0"

    @classmethod
    def sample(cls) -> "EventCount":
        """Return an example for the documentation."""
        start = datetime.datetime(2015, 1, 1, 12, 0, 0, 0)
        return cls(start=start, group="compute.instance.create.end", other=False, count=7)


class EventCountsController(Resource):
    """Counts of events."""

    @expose_get([EventCount], [EventQuery], str, str, int, base.FILTER_TEXTS, str)
    def get_all(
        self,
        q: Sequence[EventQuery] | None = None,
        interval: str | None = None,
        group_by: str | None = None,
        limit: int | None = None,
        filter: Sequence[str] | None = None,
        all_tenants: str | None = None,
    ) -> Iterator[bytes]:
        """Return the number of events that meet all filters.

        :param q: the filters
        :param interval: length of the periods to count separately: seconds, or with a unit as ``5m``, ``1h``, ``1d``
        :param group_by: ``event_type``, or the name of a string trait, whose values are counted separately
        :param limit: number of groups, those with the most events; all others are counted as one
        :param filter: texts in the filter language; the events meet all of them, too
        :param all_tenants: whether to include the events of all projects
        """
        context: Context = pecan.request.panko
        context.authorization.require(event_counts.INDEX)
        selection = filters.parse_selection(q, filter, all_tenants)
        count_query = query.parse_count_query(interval, group_by, limit)
        counts = context.storage.count_events(context.select(selection), count_query)
        return (_render_count(count) for count in counts)


def _render_count(count: aggregates.EventCount) -> bytes:
    return orjson.dumps({"start": count.start, "group": count.group, "other": count.is_other, "count": count.events})
