# SPDX-License-Identifier: Apache-2.0
"""The download of the events of a page."""

import pecan
import webob
from oslo_utils import timeutils
from wsme.exc import InvalidInput

from panko.api.hooks import Context
from panko.api.pages import DocumentPage, Links
from panko.api.response import CSV, NDJSON, respond
from panko.api.routing import Resource
from panko.explorer.context import select_events
from panko.explorer.controllers.decorators import expose_page
from panko.explorer.search import Search
from panko.storage.filters import NEWEST_FIRST, Page

MAX_EXPORTED_EVENTS = 100_000

FORMATS = {"csv": CSV, "jsonl": NDJSON}


class ExportedPage(DocumentPage):
    """The events of a download, which has no link to more of them."""

    def find_next(self) -> None:
        """Return that there is no next page."""


class ExportController(Resource):
    """The events of a page as a file."""

    @expose_page
    def get_all(self) -> webob.Response:
        """Return the newest events that the page's filters select, in the format ``format``.

        CSV has the page's columns, JSON lines have whole events.
        """
        request = pecan.request
        context: Context = request.panko
        search = Search.parse(request.GET)
        format_name = request.GET.get("format", "")
        if format_name not in FORMATS:
            raise InvalidInput("format", format_name, f"It is one of {', '.join(FORMATS)}.")
        page = Page(limit_export(context.limits.max_limit), sort=NEWEST_FIRST)
        selected = select_events(search)
        links = Links(request, "before")
        events = ExportedPage(context.storage, selected.event_filter, page, links, search.column)
        response = respond(events, [dict], FORMATS[format_name], request)
        response.content_disposition = f'attachment; filename="{make_name(search)}.{format_name}"'
        return response


def limit_export(max_limit: int | None) -> int:
    """Return how many events a download has at most, given the limit of any response."""
    return min(MAX_EXPORTED_EVENTS, max_limit or MAX_EXPORTED_EVENTS)


def make_name(search: Search) -> str:
    """Return the name of a file without its ending; it says of which time its events are."""
    start, end = search.find_period()
    end = end or timeutils.utcnow()
    # strftime() does not pad years.
    times = [f"{time.year:04}{time.strftime('%m%dT%H%M%SZ')}" for time in (start, end) if time]
    return "-".join(["panko-events", *(["until"] if start is None else []), *times])
