# SPDX-License-Identifier: Apache-2.0
"""The live tail: rows of the table for new events, as server-sent events."""

import functools
import re
from typing import Any

import pecan
import webob
from oslo_utils import timeutils
from wsme.exc import ClientSideError

from panko.api.cursors import CURSOR, Cipher
from panko.api.feed import MAX_STREAM_SECONDS, EventStream, Piece, limit_stream, parse_start, start_stream
from panko.api.hooks import Context
from panko.api.routing import Resource
from panko.explorer.context import select_events
from panko.explorer.controllers.decorators import expose_page
from panko.explorer.rendering import render_alone
from panko.explorer.search import Search
from panko.explorer.views.table import make_row
from panko.policies import events
from panko.storage.feed import FeedPage, FeedRequest, Start

MAX_KEPT_BYTES = 16 * 1024
"""Size of an event whose row is kept for other readers."""

_LINE_END = re.compile(r"\r\n|\r|\n")


class TailController(Resource):
    """New events."""

    @expose_page
    def get_all(self) -> webob.Response:
        """Return a stream of rows: one for each new event that the page would show.

        It ends after :data:`~panko.api.feed.MAX_STREAM_SECONDS`; then the browser connects again, which fails with a
        401 if the token has expired.
        """
        request = webob.Request(pecan.request.environ)  # Pecan's changes with the thread.
        context: Context = request.panko
        search = Search.parse(request.GET)
        if has_ended(search):
            raise ClientSideError("The time range of the page has ended: no new event belongs to it.")
        selected = select_events(search, events.FEED, is_bounded=True)
        cipher = _make_cipher(context, search)
        start = parse_start(request.headers.get("Last-Event-ID"), cipher)
        feed_request = FeedRequest(start, selected.event_filter, limit_stream(context.limits.max_limit))
        return start_stream(RowStream(search, context.feed, feed_request, cipher, MAX_STREAM_SECONDS), request)


def has_ended(search: Search) -> bool:
    """Return whether the time range of a page has ended, so that no event will be added to it."""
    end = search.find_period()[1]
    return end is not None and end < timeutils.utcnow()


def _make_cipher(context: Context, search: Search) -> Cipher:
    """Return the cipher for the cursors of a page's tail.

    It depends on what the page's URL says, not on the filter: that of a relative time range changes at each request.
    """
    texts = sorted({text.strip() for text in (*search.filter, search.search)})
    details = ("tail", search.range, search.start, search.end, search.projects, texts)
    return Cipher(context.secret.read(), CURSOR, context.authorization.identity, *details)


class RowStream(EventStream):
    """A reader who gets each event as the HTML of a row.

    :param search: the page that has the table
    """

    def __init__(self, search: Search, *of_reader: Any):
        super().__init__(*of_reader)
        self._search = search

    def render(self, page: FeedPage) -> Piece:
        """Return the rows of a page.

        If the cursor is gone, go on with what is new: nobody looks at all events that are kept.
        """
        if not page.is_gone:
            return super().render(page)
        now = self.feed.read([FeedRequest(Start.NOW, self.request.event_filter, self.request.limit)])[0].cursor
        return Piece(b"id: %b\nevent: gone\ndata: Some events are missing.\n\n" % self._encrypt(now), now)

    def render_event(self, document: bytes) -> bytes:
        """Return the lines of a row."""
        render = _render_row if len(document) <= MAX_KEPT_BYTES else _render_row.__wrapped__
        return render(document, self._search)


@functools.lru_cache(maxsize=256)
def _render_row(document: bytes, search: Search) -> bytes:
    """Return the lines of a row. They are kept for others who look at the same page: all get them at the same time."""
    text = render_alone("_row.html", row=make_row(document, search), search=search)
    lines = (f"data: {line}\n" for line in _LINE_END.split(text.strip()))
    return "".join([*lines, "\n"]).encode()
