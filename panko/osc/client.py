# SPDX-License-Identifier: Apache-2.0
"""The client of the event service: requests, and errors as one line for the user."""

import contextlib
import datetime
import http
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1.session import Session
from osc_lib.command.command import Command
from osc_lib.exceptions import CommandError

from panko.osc.plugin import API_NAME

Query = Iterable[tuple[str, str | int]]

PAGE_SIZE = 1000
"""Number of events to request at once when reading all events."""

TIMEOUT_SECONDS = 60
"""How long a service may take to begin its response, beside the time that the request asks it to wait."""

MAX_RETRY_AFTER_SECONDS = 600
"""The longest pause that a service can ask for."""

UNAVAILABLE_STATUSES = (502, 503, 504)
"""Statuses of a service, or of a proxy in front of it, that may work again soon."""

FILTER_ARGUMENT = "filter"
"""The argument for conditions in the filter language."""

MAX_URL_CHARS = 2000
"""Length of an address up to which all servers and proxies accept it. Beyond it, conditions are sent in the body."""

INVALID_FILTER = "("

UNKNOWN_FILTER = f'Unknown argument: "{FILTER_ARGUMENT}"'
"""How services that do not know the argument refuse it: Panko 10."""

CONNECTION_ERRORS = (
    keystone_errors.ConnectFailure,
    keystone_errors.ConnectTimeout,
    keystone_errors.UnknownConnectionError,
)
"""Errors of a connection that may work again soon; the last one is for a truncated response, among others."""

# A service without Keystone trusts these headers, whoever sends them.
ANONYMOUS_HEADERS = {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"}


class ResponseError(CommandError):
    """The event service has responded with an error.

    :param text: one line for the user
    :param status: HTTP status
    :param body: the JSON of the response; None if it is not JSON
    """

    def __init__(self, text: str, status: int, body: Any) -> None:
        super().__init__(text)
        self.status = status
        self.body = body


class ServiceUnavailable(CommandError):
    """The event service cannot be reached, or is temporarily unavailable.

    :param text: one line for the user
    :param retry_after: the least number of seconds after which to try again
    """

    def __init__(self, text: str, retry_after: float = 0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Response:
    """A response of the event service.

    :param body: its JSON
    :param next_query: the query of the next page; None: the response has no link to one
    :param retry_after: the least number of seconds until the next request
    """

    body: Any
    next_query: Query | None
    retry_after: float


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
        self._reads_bodies = False
        self.service_time: datetime.datetime | None = None
        """Time of the latest response by the clock of the service, in naive UTC; None before the first response."""

    def get(self, *path: str, query: Query = ()) -> Any:
        """Return the JSON of a resource of /v2; see :meth:`get_response`."""
        return self.get_response(*path, query=query).body

    def get_response(self, *path: str, query: Query = (), timeout: float | None = None) -> Response:
        """Return a resource of /v2.

        :param path: segments of its path, which are not encoded yet
        :param timeout: seconds after which a silent service is unavailable; None: as the openstack command says
        :raises ServiceUnavailable: if the service may respond later
        :raises CommandError: if the request fails for another reason; its text is for the user
        """
        if not all(path):
            raise CommandError("The name must not be empty.")
        url = "/".join([self._endpoint, "v2", *(quote(part, safe="") for part in path)])
        pairs = list(query)
        texts = [value for name, value in pairs if name == FILTER_ARGUMENT]
        if not texts or len(f"{url}?{urlencode(pairs)}") <= MAX_URL_CHARS:
            return self._request(url, timeout, params=pairs)
        self._require_bodies(timeout)
        others = [pair for pair in pairs if pair[0] != FILTER_ARGUMENT]
        return self._request(url, timeout, params=others, json={FILTER_ARGUMENT: texts})

    def _require_bodies(self, timeout: float | None) -> None:
        """Check that the service receives the body of a GET request, once: if not, it would return all events.

        :raises CommandError: if a proxy removes it
        """
        if self._reads_bodies:
            return
        try:
            self._request(f"{self._endpoint}/v2/events", timeout, params={"limit": 1}, json={"filter": INVALID_FILTER})
        except ResponseError as error:
            if error.status != http.HTTPStatus.BAD_REQUEST:
                raise
            self._reads_bodies = True
            return
        raise CommandError(
            f"The conditions are longer than the {MAX_URL_CHARS} characters of an address, and the service does not "
            "receive the body of the request: a proxy removes it. Shorten --where."
        )

    def _request(self, url: str, timeout: float | None, **content: Any) -> Response:
        limits = {} if timeout is None else {"timeout": timeout}
        try:
            response = self._session.get(
                url, headers=self._headers, raise_exc=False, user_agent="panko", **content, **limits
            )
        except CONNECTION_ERRORS as error:
            raise ServiceUnavailable(
                f"The event service at {self._endpoint} cannot be reached: {_root_cause(error)}"
            ) from error
        if response.status_code != 200:
            raise _make_error(response)
        if "Date" in response.headers:
            self.service_time = parsedate_to_datetime(response.headers["Date"]).replace(tzinfo=None)
        try:
            return Response(response.json(), _read_next_query(response), _read_retry_after(response))
        except ValueError as error:
            raise CommandError(f"{url} is not an event service: check the endpoint in the catalog.") from error

    def get_all_events(self, query: Query) -> Iterator[dict[str, Any]]:
        """Yield all events that a query of /v2/events finds, in its order, a page at a time."""
        first = [*query, ("limit", PAGE_SIZE)]
        following: Query | None = first
        has_links = False
        while following is not None:
            page = self.get_response("events", query=following)
            yield from page.body
            following = page.next_query
            has_links = has_links or following is not None
            if not has_links and len(page.body) >= PAGE_SIZE:
                # Panko 10 has no links: continue after the last event.
                following = [*(pair for pair in first if pair[0] != "marker"), ("marker", page.body[-1]["message_id"])]


def get_client(command: Command) -> EventClient:
    """Return the client that a command uses, which osc-lib keeps under the name of the API."""
    client: EventClient = getattr(command.app.client_manager, API_NAME)
    return client


def _root_cause(error: BaseException) -> BaseException:
    """Return the first error of a chain, such as "Connection refused"."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


def _read_next_query(response: Any) -> Query | None:
    """Return the query of the link to the next page.

    The rest of its address is ignored: a service behind a proxy may not know the address that its clients use.
    """
    url = response.links.get("next", {}).get("url")
    return None if url is None else parse_qsl(urlsplit(url).query, keep_blank_values=True)


def _read_retry_after(response: Any) -> float:
    """Return the seconds to wait before the next request; 0 if the service does not say."""
    text = response.headers.get("Retry-After", "0")
    seconds = 0.0
    with contextlib.suppress(ValueError, TypeError):
        seconds = float(text) if text.isdecimal() else _seconds_until(text)
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _seconds_until(date: str) -> float:
    moment = parsedate_to_datetime(date)
    return (moment - datetime.datetime.now(moment.tzinfo)).total_seconds()


def _make_error(response: Any) -> CommandError:
    try:
        body = response.json()
    except ValueError:
        body = None
    request_id = response.headers.get("X-Openstack-Request-Id")
    line = " ".join(_find_reason(response, body).split())
    if line == UNKNOWN_FILTER:
        return CommandError(
            "The event service does not know the filter language, which --where needs. Is it a Panko 10? Use --filter."
        )
    text = f"{line} (HTTP {response.status_code})" + (f" (Request-ID: {request_id})" if request_id else "")
    if response.status_code in UNAVAILABLE_STATUSES:
        return ServiceUnavailable(text, _read_retry_after(response))
    return ResponseError(text, response.status_code, body)


def _find_reason(response: Any, body: Any) -> str:
    """Return the reason in an error response: of Panko, of keystonemiddleware, or of HTTP if there is no other."""
    body = body if isinstance(body, dict) else {}
    for name, text in (("error_message", "faultstring"), ("error", "message")):
        reason = body.get(name)
        reason = reason.get(text) if isinstance(reason, dict) else reason
        if reason and isinstance(reason, str):
            return reason
    return f"{response.url.partition('?')[0]} returned: {response.reason}"
