# SPDX-License-Identifier: Apache-2.0
"""Pecan hooks: the context that each request gets, and the responses for exceptions."""

import threading
from dataclasses import dataclass
from typing import Any

import webob
from oslo_config import cfg
from pecan.hooks import PecanHook

from panko.api.authorization import Authorization
from panko.api.cursors import Secret
from panko.api.feed import Feed
from panko.api.policy import Identity, Policy
from panko.api.response import respond_to_error
from panko.storage.base import Connection

TOKEN_INFO = "keystone.token_info"  # noqa: S105
"""Environ key under which keystonemiddleware stores what Keystone says about the user's token."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The configured limits of a request.

    :param default_limit: events of a response if the request gives no limit
    :param max_limit: events of any response; None: unlimited
    :param max_create_bytes: size of a body of events to store
    :param query_timeout: seconds for all database calls
    """

    default_limit: int
    max_limit: int | None
    max_create_bytes: int
    query_timeout: int


@dataclass(frozen=True, slots=True)
class Context:
    """What controllers need to respond to a request.

    :param stream_slots: limits how many responses are streamed at once
    :param secret: the database's secret, which encrypts cursors
    :param feed: the feed of the storage
    """

    authorization: Authorization
    storage: Connection
    limits: Limits
    stream_slots: threading.Semaphore
    secret: Secret
    feed: Feed


class ContextHook(PecanHook):
    """Sets the attribute ``panko`` of each request to a :class:`Context`.

    :param conf: the service's configuration
    :param policy: the application's policy
    :param storage: the application's storage driver
    :param stream_slots: limits how many responses are streamed at once
    """

    def __init__(self, conf: cfg.ConfigOpts, policy: Policy, storage: Connection, stream_slots: threading.Semaphore):
        self._limits = Limits(
            conf.api.default_api_return_limit,
            conf.api.max_api_return_limit,
            conf.api.max_create_body_size,
            conf.api.query_timeout,
        )
        self._policy = policy
        self._storage = storage
        self._stream_slots = stream_slots
        self._secret = Secret(storage)
        self._feed = Feed(storage, conf.api.query_timeout)

    def on_route(self, state: Any) -> None:
        """Set the context before the request is routed."""
        authorization = Authorization(self._policy, identify(state.request))
        state.request.panko = Context(
            authorization, self._storage, self._limits, self._stream_slots, self._secret, self._feed
        )


def identify(request: webob.Request) -> Identity:
    """Return the identity of the caller, from the headers that keystonemiddleware sets."""
    headers = request.headers
    user_token = request.environ.get(TOKEN_INFO)
    if user_token is None:
        is_system = headers.get("OpenStack-System-Scope") == "all"
    else:
        # A service token may have overwritten the header with its own scope.
        is_system = bool((user_token["token"].get("system") or {}).get("all"))
    # A service token's scope must not widen the request of a project or a domain.
    return Identity(
        user_id=headers.get("X-User-Id") or None,
        project_id=headers.get("X-Project-Id") or None,
        roles=tuple(headers.get("X-Roles", "").split(",")),
        is_system=is_system and not headers.get("X-Project-Id") and not headers.get("X-Domain-Id"),
    )


class ErrorHook(PecanHook):
    """Turns exceptions into responses."""

    def on_error(self, state: Any, e: Exception) -> webob.Response:
        """Return the error response for an exception."""
        return respond_to_error(e, state.request)
