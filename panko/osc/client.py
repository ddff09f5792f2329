# SPDX-License-Identifier: Apache-2.0
"""Requests to the event service, and its refusals as one line."""

from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1.session import Session
from osc_lib.exceptions import CommandError

Query = Iterable[tuple[str, str | int]]

PAGE = 1000
"""Events that are asked for at once where all are wanted."""

AWAY = (502, 503, 504)
"""What a service, or a proxy before it, answers that may be back soon."""

# A service without Keystone believes the headers, and one who can reach it may send any.
ANONYMOUS = {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"}


class ServiceAway(CommandError):
    """The event service cannot be reached, or can do nothing at the moment."""


class EventClient:
    """Asks an event service.

    :param session: sends the requests, with a token
    :param endpoint: address of the service as it is in the catalog
    :param anonymous: whether there is no Keystone, so that the headers have to say who asks
    """

    def __init__(self, session: Session, endpoint: str | None, anonymous: bool = False):
        if not endpoint:
            raise CommandError(
                "There is no endpoint of the service type 'event' in the catalog for this region and interface."
            )
        self._session = session
        self._endpoint = endpoint.rstrip("/").removesuffix("/v2")
        self._headers = {"Accept": "application/json", **(ANONYMOUS if anonymous else {})}
        self.service_time = None
        """When the service gave its last answer, by its own clock, without a zone; None before the first."""

    def get(self, *path: str, query: Query = ()) -> Any:
        """Return what is at a path below /v2, whose parts are not encoded yet.

        Raises CommandError with what the user is to read, and ServiceAway where it is worth to try again.
        """
        if not all(path):
            raise CommandError("An empty name is not possible.")
        url = "/".join([self._endpoint, "v2", *(quote(part, safe="") for part in path)])
        try:
            answer = self._session.get(
                url, params=list(query), headers=self._headers, raise_exc=False, user_agent="panko"
            )
        except keystone_errors.ConnectFailure as error:
            raise ServiceAway(f"The event service at {self._endpoint} cannot be reached: {_root(error)}") from error
        if answer.status_code != 200:
            kind = ServiceAway if answer.status_code in AWAY else CommandError
            raise kind(_refusal(answer))
        if "Date" in answer.headers:
            self.service_time = parsedate_to_datetime(answer.headers["Date"]).replace(tzinfo=None)
        try:
            return answer.json()
        except ValueError as error:
            raise CommandError(f"{url} does not answer as an event service does: check the endpoint.") from error

    def events(self, query: Query) -> Iterator[dict]:
        """Yield all events that a query of /v2/events finds, in its order, a page at a time."""
        marker: Query = ()
        # A page that is shorter than wanted may be so by the service's own limit: only an empty one is the end.
        while page := self.get("events", query=[*query, ("limit", PAGE), *marker]):
            yield from page
            marker = [("marker", page[-1]["message_id"])]


def _root(error: BaseException) -> BaseException:
    """Return the error at the bottom, such as "Connection refused", which others were raised for."""
    while below := error.__cause__ or error.__context__:
        error = below
    return error


def _refusal(answer: Any) -> str:
    request_id = answer.headers.get("X-Openstack-Request-Id")
    line = " ".join(_reason(answer).split())
    return f"{line} (HTTP {answer.status_code})" + (f" (Request-ID: {request_id})" if request_id else "")


def _reason(answer: Any) -> str:
    """Return why an answer is a refusal: Panko's own words, those of keystonemiddleware, or else of HTTP."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    for name, text in (("error_message", "faultstring"), ("error", "message")):
        reason = body.get(name)
        reason = reason.get(text) if isinstance(reason, dict) else reason
        if reason and isinstance(reason, str):
            return reason
    return f"{answer.url.partition('?')[0]} answers {answer.reason}"
