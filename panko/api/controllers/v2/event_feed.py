# SPDX-License-Identifier: Apache-2.0
"""The feed: events in the order in which they become readable."""

import dataclasses
from collections.abc import Sequence

import pecan
import webob

from panko.api import filters, query
from panko.api.controllers.decorators import expose_feed
from panko.api.controllers.v2.base import FILTER_TEXTS
from panko.api.controllers.v2.schemas import EventQuery
from panko.api.cursors import Cipher, cursor_cipher
from panko.api.feed import (
    EVENT_STREAM,
    FEED_TYPES,
    MAX_STREAM_SECONDS,
    RECONNECT_SECONDS,
    EventStream,
    LongPoll,
    limit_stream,
    parse_start,
    start_stream,
    take_seat,
)
from panko.api.hooks import Context
from panko.api.response import choose_content_type
from panko.api.routing import Resource
from panko.policies import events
from panko.storage.feed import FeedRequest


class EventFeedController(Resource):
    """The feed of events."""

    @expose_feed([EventQuery], str, int, int, FILTER_TEXTS, str)
    def get_all(
        self,
        q: Sequence[EventQuery] | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        wait: int | None = None,
        filter: Sequence[str] | None = None,
        all_tenants: str | None = None,
    ) -> webob.Response:
        """Return the next events that meet all filters, and the cursor to continue with.

        :param q: the filters
        :param cursor: of an earlier response; ``begin``: of the oldest event that is kept; none: after all events
        :param limit: maximum number of events
        :param wait: seconds to wait until there is an event
        :param filter: texts in the filter language; the events meet all of them, too
        :param all_tenants: whether to include the events of all projects
        """
        request = webob.Request(pecan.request.environ)  # Pecan's changes with the thread.
        context: Context = request.panko
        context.authorization.require(events.FEED)
        of_q = filters.parse_q(q, all_tenants)
        selection = filters.add_texts(of_q, filter)
        asked = query.parse_feed_query(limit, wait, context.limits.default_limit, context.limits.max_limit)
        # One call examines a bounded number of events, and serves many readers: no reader's filter may end it.
        selected = context.select(selection, is_bounded=True)
        identity = context.authorization.identity
        cipher = cursor_cipher(
            context.secret.read(), identity, of_q.event_filter, bool(of_q.all_tenants), selection.texts
        )
        start = parse_start(request.headers.get("Last-Event-ID") or cursor, cipher)
        feed_request = FeedRequest(start, selected, asked.limit)
        if choose_content_type(request.headers.get("Accept"), FEED_TYPES) == EVENT_STREAM:
            stream_request = dataclasses.replace(feed_request, limit=limit_stream(context.limits.max_limit))
            return start_stream(EventStream(context.feed, stream_request, cipher, MAX_STREAM_SECONDS), request)
        return _poll(context, feed_request, cipher, asked.wait, request)


def _poll(
    context: Context, feed_request: FeedRequest, cipher: Cipher, wait: int, request: webob.Request
) -> webob.Response:
    """Return the events that there are; if there are none, wait for them if the server has a free seat."""
    reader = LongPoll(context.feed, feed_request, cipher, wait, request)
    page = reader.read()
    response = reader.render(page)
    if wait and not page.events:
        reader.move(page.cursor, page.more)
        if not take_seat(reader, request) and not page.more:
            response.headers["Retry-After"] = str(RECONNECT_SECONDS)
    return response
