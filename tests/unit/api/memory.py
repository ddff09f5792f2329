# SPDX-License-Identifier: Apache-2.0
"""An application on a storage of a few lines, which fails where a test says."""

import threading
from collections.abc import Iterator

import webtest

from panko import service
from panko.api.hooks import ContextHook, ErrorHook
from panko.api.pecan_app import PecanApplication
from panko.api.policy import Policy
from panko.storage import base

ADMIN = {"X-User-Id": "u", "X-Project-Id": "p", "X-Roles": "admin"}
ROOT = "panko.api.controllers.v2.root.V2Controller"


class MemoryConnection(base.Connection):
    """Gives the documents that it was given, whatever is asked.

    :param documents: what it gives; an exception among them is raised where it stands
    """

    def __init__(self, documents=()):
        self.documents = documents
        self.given = 0
        self.closed = 0

    def get_documents(self, event_filter, pagination=None) -> Iterator[bytes]:
        try:
            for document in self.documents:
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


def make_application(storage: base.Connection, **options: int) -> PecanApplication:
    """Return version 2 of the API on a storage.

    :param options: of the section [api]
    """
    conf = service.prepare_service([], config_files=[], share=True)
    for name, value in options.items():
        conf.set_override(name, value, group="api")
    return PecanApplication(ROOT, [ContextHook(conf, Policy(conf), storage, threading.Semaphore(1)), ErrorHook()])


def make_client(storage: base.Connection, **options: int) -> webtest.TestApp:
    """Return a client of version 2 of the API on a storage; see :func:`make_application`."""
    return webtest.TestApp(make_application(storage, **options), extra_environ={"openstack.request_id": "req-1"})
