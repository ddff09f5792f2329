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
from panko.api.errors import InvalidConfiguration
from panko.api.feed import Feed
from panko.api.filters import Selection
from panko.api.policy import Identity, Policy
from panko.api.response import respond_to_error
from panko.storage.base import Connection
from panko.storage.filters import EventFilter

DEFAULT_SCAN_SECONDS = 10
"""Seconds to search without [api] scan_timeout; half of [api] query_timeout if that is less."""

TOKEN_INFO = "keystone.token_info"  # noqa: S105
"""Environ key under which keystonemiddleware stores what Keystone says about the user's token."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The configured limits of a request.

    :param default_limit: events of a response if the request gives no limit
    :param max_limit: events of any response; None: unlimited
    :param max_create_bytes: size of a body of events to store
    :param query_timeout: seconds for all database calls
    :param scan_seconds: seconds to search for what a text in the filter language asks for
    """

    default_limit: int
    max_limit: int | None
    max_create_bytes: int
    query_timeout: int
    scan_seconds: float


def read_limits(conf: cfg.ConfigOpts) -> Limits:
    """Return the limits of the service's configuration.

    :raises InvalidConfiguration: if [api] scan_timeout is too long
    """
    scan_timeout, query_timeout = conf.api.scan_timeout, conf.api.query_timeout
    if scan_timeout is not None and scan_timeout >= query_timeout:
        raise InvalidConfiguration(
            "[api] scan_timeout",
            f"{scan_timeout} seconds are not less than [api] query_timeout ({query_timeout}), which would end a search "
            "first. Decrease scan_timeout or increase query_timeout.",
        )
    return Limits(
        default_limit=conf.api.default_api_return_limit,
        max_limit=conf.api.max_api_return_limit,
        max_create_bytes=conf.api.max_create_body_size,
        query_timeout=query_timeout,
        scan_seconds=scan_timeout or min(DEFAULT_SCAN_SECONDS, query_timeout / 2),
    )


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

    def select(self, selection: Selection, is_bounded: bool = False) -> EventFilter:
        """Return the filter for the selected events that the caller may see.

        :param is_bounded: whether the storage examines a bounded number of events anyway
        :raises Refused: if the caller may not see the events of all projects
        :raises NotSupported: if the storage driver does not know all conditions
        """
        scope = self.authorization.event_scope(bool(selection.all_tenants))
        return selection.limit_to(scope, self.storage, None if is_bounded else self.limits.scan_seconds)


class ContextHook(PecanHook):
    """Sets the attribute ``panko`` of each request to a :class:`Context`.

    :param conf: the service's configuration
    :param policy: the application's policy
    :param storage: the application's storage driver
    :param stream_slots: limits how many responses are streamed at once
    """

    def __init__(self, conf: cfg.ConfigOpts, policy: Policy, storage: Connection, stream_slots: threading.Semaphore):
        self._limits = read_limits(conf)
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
