# SPDX-License-Identifier: Apache-2.0
"""What is put on each request on its way in, and what becomes of exceptions on their way out."""

import threading
from dataclasses import dataclass

import webob
from oslo_config import cfg
from oslo_middleware.request_id import ENV_REQUEST_ID
from pecan.hooks import PecanHook

from panko.api.authorization import Access
from panko.api.errors import fault_of, log_fault
from panko.api.negotiation import JSON
from panko.api.policy import Identity, Policy
from panko.api.responses import respond_with_fault
from panko.storage.base import Connection

TOKEN_INFO = "keystone.token_info"  # noqa: S105
"""Where keystonemiddleware puts into the environment what Keystone says of the user's token."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration allows a request.

    :param default: events of an answer if the request gives no limit
    :param largest: events of any answer; None: no bound
    :param create_body: bytes of a body that stores events
    :param query_timeout: seconds in the database
    """

    default: int
    largest: int | None
    create_body: int
    query_timeout: int


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
        domain_id=headers.get("X-Domain-Id") or None,
        roles=tuple(headers.get("X-Roles", "").split(",")),
        system_scope=_system_scope(request),
    )


def _system_scope(request: webob.Request) -> str | None:
    """Return the system scope of the user's own token.

    keystonemiddleware overwrites the header with the scope of a service token. The environment then still holds what
    Keystone says of the user's token; another filter that authenticates users sets the header alone.
    """
    user_token = request.environ.get(TOKEN_INFO)
    if user_token is None:
        return request.headers.get("OpenStack-System-Scope") or None
    return "all" if (user_token["token"].get("system") or {}).get("all") else None


class ContextHook(PecanHook):
    """Puts a :class:`Context` on the request, as ``panko``.

    :param conf: the service's configuration
    :param policy: the application's policy
    :param storage: the application's connection
    :param large_answers: a place for each large answer that may be sent at the same time
    """

    def __init__(self, conf: cfg.ConfigOpts, policy: Policy, storage: Connection, large_answers: threading.Semaphore):
        self._limits = Limits(
            conf.api.default_api_return_limit,
            conf.api.max_api_return_limit,
            conf.api.max_create_body_size,
            conf.api.query_timeout,
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
