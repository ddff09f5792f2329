# SPDX-License-Identifier: Apache-2.0
"""An application on a storage of a few lines, which fails where a test says."""

import itertools
import operator
import threading
from collections.abc import Iterator

import webtest

from panko import service
from panko.api.hooks import ContextHook, ErrorHook
from panko.api.pecan_app import PecanApplication
from panko.api.policy import Policy
from panko.storage import base
from panko.storage.filters import Page, Place

ADMIN = {"X-User-Id": "u", "X-Project-Id": "p", "X-Roles": "admin"}
ROOT = "panko.api.controllers.v2.root.V2Controller"


class MemoryConnection(base.Connection):
    """Gives the documents that it was given up to the limit, whatever else is asked.

    :param documents: what it gives; an exception among them is raised where it stands
    """

    def __init__(self, documents=()):
        self.documents = documents
        self.given = 0
        self.closed = 0

    def get_documents(self, event_filter, pagination=None) -> Iterator[bytes]:
        try:
            for document in itertools.islice(self.documents, Page.of(pagination).limit):
                if isinstance(document, Exception):
                    raise document
                self.given += 1
                yield document
        finally:
            self.closed += 1

    def get_event_types(self, scope=base.EVERYTHING):
        raise next(document for document in self.documents if isinstance(document, Exception))

    def upgrade(self): ...

    def clear(self): ...

    def record_events(self, events): ...

    def get_events(self, event_filter, pagination=None): ...

    def get_trait_types(self, event_type, scope=base.EVERYTHING): ...

    def get_traits(self, event_type, trait_type=None, scope=base.EVERYTHING): ...

    def clear_expired_data(self, ttl, max_count=None, *, now=None): ...


class EventConnection(MemoryConnection):
    """Keeps events, and reads on after the place of the last one, as a database does; it ignores filters.

    :ivar open: number of answers that are neither read to their end nor closed
    """

    def __init__(self, events=()):
        self.events = list(events)
        self.open = 0

    def get_secret(self):
        return bytes(32)

    def get_events(self, event_filter, pagination=None):
        page = Page.of(pagination)
        self.open += 1
        try:
            after = page.after or next((_place(each) for each in self.events if each.message_id == page.marker), None)
            for _ in itertools.count() if page.limit is None else range(page.limit):
                ahead = (each for each in self._in_order(page) if after is None or _precedes(after, _place(each), page))
                event = next(ahead, None)
                if event is None or (page.until and _precedes(page.until, _place(event), page)):
                    return
                yield event
                after = _place(event)
        finally:
            self.open -= 1

    def get_documents(self, event_filter, pagination=None):
        return base.Connection.get_documents(self, event_filter, pagination)

    def _in_order(self, page):
        events = list(self.events)
        for key, direction in reversed(page.sort):
            events.sort(key=operator.attrgetter(key), reverse=direction == "desc")
        return events


def _place(event):
    return Place(event.generated, event.message_id)


def _precedes(place: Place, other: Place, page: Page) -> bool:
    for key, direction in page.sort:
        one, two = getattr(place, key), getattr(other, key)
        if one != two:
            return one < two if direction == "asc" else one > two
    return False


def make_application(storage: base.Connection, root: str = ROOT, **options: int) -> PecanApplication:
    """Return version 2 of the API on a storage.

    :param root: another tree of controllers
    :param options: of the section [api]
    """
    conf = service.prepare_service([], config_files=[], share=True)
    for name, value in options.items():
        conf.set_override(name, value, group="api")
    return PecanApplication(root, [ContextHook(conf, Policy(conf), storage, threading.Semaphore(1)), ErrorHook()])


def make_client(storage: base.Connection, **options: int) -> webtest.TestApp:
    """Return a client of version 2 of the API on a storage; see :func:`make_application`."""
    return webtest.TestApp(make_application(storage, **options), extra_environ={"openstack.request_id": "req-1"})
