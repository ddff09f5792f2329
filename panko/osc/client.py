# SPDX-License-Identifier: Apache-2.0
"""The client of the event service: requests, and errors as one line for the user."""

import datetime
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1.session import Session
from osc_lib.command.command import Command
from osc_lib.exceptions import CommandError

from panko.osc.plugin import API_NAME

Query = Iterable[tuple[str, str | int]]

PAGE_SIZE = 1000
"""Number of events to request at once when reading all events."""

UNAVAILABLE_STATUSES = (502, 503, 504)
"""Statuses of a service, or of a proxy in front of it, that may work again soon."""

# A service without Keystone trusts these headers, whoever sends them.
ANONYMOUS_HEADERS = {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"}


class ServiceUnavailable(CommandError):
    """The event service cannot be reached, or is temporarily unavailable."""


class EventClient:
    """A client of the event service.

    :param session: sends the requests, with a token
    :param endpoint: URL of the service in the catalog; None: the catalog has none
    :param anonymous: whether there is no Keystone, so that headers have to identify the caller
    """

    def __init__(self, session: Session, endpoint: str | None, anonymous: bool = False) -> None:
        if not endpoint:
            raise CommandError(
                "There is no endpoint of the service type 'event' in the catalog for this region and interface."
            )
        self._session = session
        self._endpoint = endpoint.rstrip("/").removesuffix("/v2")
        self._headers = {"Accept": "application/json", **(ANONYMOUS_HEADERS if anonymous else {})}
        self.service_time: datetime.datetime | None = None
        """Time of the latest response by the clock of the service, in naive UTC; None before the first response."""

    def get(self, *path: str, query: Query = ()) -> Any:
        """Return the JSON of a resource of /v2.

        :param path: segments of its path, which are not encoded yet
        :raises ServiceUnavailable: if the service may respond later
        :raises CommandError: if the request fails for another reason; its text is for the user
        """
        if not all(path):
            raise CommandError("The name must not be empty.")
        url = "/".join([self._endpoint, "v2", *(quote(part, safe="") for part in path)])
        try:
            response = self._session.get(
                url, params=list(query), headers=self._headers, raise_exc=False, user_agent="panko"
            )
        except keystone_errors.ConnectFailure as error:
            raise ServiceUnavailable(
                f"The event service at {self._endpoint} cannot be reached: {_root_cause(error)}"
            ) from error
        if response.status_code != 200:
            error_class = ServiceUnavailable if response.status_code in UNAVAILABLE_STATUSES else CommandError
            raise error_class(_describe_error(response))
        if "Date" in response.headers:
            self.service_time = parsedate_to_datetime(response.headers["Date"]).replace(tzinfo=None)
        try:
            return response.json()
        except ValueError as error:
            raise CommandError(f"{url} is not an event service: check the endpoint in the catalog.") from error

    def get_all_events(self, query: Query) -> Iterator[dict[str, Any]]:
        """Yield all events that a query of /v2/events finds, in its order, a page at a time."""
        marker: Query = ()
        # Only an empty page is the end: the service may have a limit below PAGE_SIZE.
        while page := self.get("events", query=[*query, ("limit", PAGE_SIZE), *marker]):
            yield from page
            marker = [("marker", page[-1]["message_id"])]


def get_client(command: Command) -> EventClient:
    """Return the client that a command uses, which osc-lib keeps under the name of the API."""
    client: EventClient = getattr(command.app.client_manager, API_NAME)
    return client


def _root_cause(error: BaseException) -> BaseException:
    """Return the first error of a chain, such as "Connection refused"."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


def _describe_error(response: Any) -> str:
    request_id = response.headers.get("X-Openstack-Request-Id")
    line = " ".join(_find_reason(response).split())
    return f"{line} (HTTP {response.status_code})" + (f" (Request-ID: {request_id})" if request_id else "")


def _find_reason(response: Any) -> str:
    """Return the reason in an error response: of Panko, of keystonemiddleware, or of HTTP if there is no other."""
    try:
        body = response.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    for name, text in (("error_message", "faultstring"), ("error", "message")):
        reason = body.get(name)
        reason = reason.get(text) if isinstance(reason, dict) else reason
        if reason and isinstance(reason, str):
            return reason
    return f"{response.url.partition('?')[0]} returned: {response.reason}"
