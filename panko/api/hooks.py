# SPDX-License-Identifier: Apache-2.0
"""What is put on each request on its way in, and what becomes of exceptions on their way out."""

import threading
from dataclasses import dataclass

import webob
from oslo_config import cfg
from oslo_middleware.request_id import ENV_REQUEST_ID
from pecan.hooks import PecanHook

from panko.api.access import Access
from panko.api.errors import fault_of, log_fault
from panko.api.negotiation import JSON
from panko.api.policy import Identity, Policy
from panko.api.responses import respond_with_fault
from panko.storage.base import Connection


@dataclass(frozen=True, slots=True)
class Limits:
    """How many events an answer holds, where the request does not say and at most; how many bytes store events."""

    default: int
    largest: int | None
    create_body: int


@dataclass(frozen=True, slots=True)
class Context:
    """What a controller needs to answer one request."""

    access: Access
    storage: Connection
    limits: Limits
    large_answers: threading.Semaphore
    """A place for each large answer that may be sent at the same time."""


def identify(request: webob.Request) -> Identity:
    """Return who is asking, from the headers that keystonemiddleware sets."""
    headers = request.headers
    return Identity(
        user_id=headers.get("X-User-Id") or None,
        project_id=headers.get("X-Project-Id") or None,
        roles=tuple(headers.get("X-Roles", "").split(",")),
        system_scope=headers.get("OpenStack-System-Scope") or None,
    )


class ContextHook(PecanHook):
    """Puts a :class:`Context` on the request, as ``panko``.

    :param conf: the service's configuration
    :param policy: the application's policy
    :param storage: the application's connection
    :param large_answers: a place for each large answer that may be sent at the same time
    """

    def __init__(self, conf: cfg.ConfigOpts, policy: Policy, storage: Connection, large_answers: threading.Semaphore):
        self._limits = Limits(
            conf.api.default_api_return_limit, conf.api.max_api_return_limit, conf.api.max_create_body_size
        )
        self._policy = policy
        self._storage = storage
        self._large_answers = large_answers

    def on_route(self, state):
        """Prepare the request before its path is looked at."""
        # With a content type Pecan does not read the Accept header: controllers.exposing does, and better.
        state.request.pecan["content_type"] = JSON
        access = Access(self._policy, identify(state.request))
        state.request.panko = Context(access, self._storage, self._limits, self._large_answers)


class ErrorHook(PecanHook):
    """Makes a response of every exception."""

    def on_error(self, state, e):
        """Return what the client is told of an exception."""
        fault = fault_of(e)
        log_fault(e, fault, state.request.environ.get(ENV_REQUEST_ID))
        return respond_with_fault(fault, state.request)
