# SPDX-License-Identifier: Apache-2.0
"""Reading all events of a running Panko 10 or 11, page by page in the order of their time."""

import argparse
import contextlib
import datetime
import functools
import http
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import tenacity
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1 import loading
from keystoneauth1.session import Session

from panko.ingest.decoding import parse_json
from panko.ingest.recognition import describe_object, describe_start
from panko.storage.errors import excerpt

Query = list[tuple[str, str]]

PAGE_EVENTS = 1000

SILENCE_SECONDS = 300
"""How long a service may be silent: Panko 10 can need minutes for a page."""

MAX_UNAVAILABLE_SECONDS = 1800
MIN_BACKOFF_SECONDS = 1
MAX_BACKOFF_SECONDS = 60
"""How long an unavailable service is asked again, and the pauses in between if it does not name one."""

UNAVAILABLE_STATUSES = (502, 503, 504)
CONNECTION_ERRORS = (
    keystone_errors.ConnectFailure,
    keystone_errors.ConnectTimeout,
    keystone_errors.UnknownConnectionError,
    keystone_errors.HttpServerError,
)
"""Errors that may end soon: of the connection, a truncated response, and Keystone's own."""

# A service without Keystone trusts these headers; one with Keystone removes them.
ANONYMOUS_HEADERS = {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"}

HINT = "Load an openrc file of an admin, or set OS_TOKEN to the output of `openstack token issue -f value -c id`."


class RemoteError(Exception):
    """The other Panko cannot be read; the text says what is wrong and what to do."""


class Unavailable(RemoteError):
    """The other Panko cannot be reached now, or is temporarily unavailable.

    :param retry_after: the least number of seconds after which to try again
    """

    def __init__(self, text: str, retry_after: float = 0):
        super().__init__(text)
        self.retry_after = retry_after


class NotAllowed(RemoteError):
    """The caller is not identified, or must not read what was requested."""


class MarkerMissing(RemoteError):
    """The event after which a page should begin does not exist any more."""


def parse_url(text: str) -> str:
    """Return the address of a service without a trailing ``/v2`` or ``/v2/events``.

    :raises RemoteError: if it is not the address of one
    """
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise RemoteError(f"{excerpt(text)} is not the address of a Panko (expected http://panko.example.com:8977)")
    if parts.username or parts.query or parts.fragment:
        raise RemoteError(
            "The address of a Panko has no user, query or fragment (expected http://panko.example.com:8977)"
        )
    return text.rstrip("/").removesuffix("/events").removesuffix("/v2").rstrip("/")


def make_session(environment: Mapping[str, str]) -> Session:
    """Return a session that authenticates as the variables ``OS_*`` of this process say; without any, anonymously.

    :param environment: the variables of this process, to choose the kind of authentication if OS_AUTH_TYPE is not set
    :raises RemoteError: if a variable is missing
    """
    kind = environment.get("OS_AUTH_TYPE") or _guess_auth_type(environment)
    parser = argparse.ArgumentParser()
    try:
        loading.register_auth_argparse_arguments(parser, [], default=kind)
        loading.register_session_argparse_arguments(parser)
        arguments = parser.parse_args([])
        auth = None if kind == "none" else loading.load_auth_from_argparse_arguments(arguments)
        return loading.load_session_from_argparse_arguments(arguments, auth=auth)
    except keystone_errors.MissingRequiredOptions as error:
        names = ", ".join("OS_" + option.dest.upper() for option in error.options)
        raise RemoteError(f"These variables are missing: {names}. {HINT}") from error
    except (keystone_errors.ClientException, ValueError) as error:
        raise RemoteError(f"The variables OS_* are not usable: {error}") from error


def _guess_auth_type(environment: Mapping[str, str]) -> str:
    if environment.get("OS_TOKEN"):
        return "token" if environment.get("OS_AUTH_URL") else "admin_token"
    if environment.get("OS_AUTH_URL"):
        return "password"
    if environment.get("OS_CLOUD"):
        raise RemoteError(f"OS_CLOUD is set, but clouds.yaml is not read. {HINT}")
    return "none"


class RemotePanko:
    """Reads the events of another Panko.

    :param url: of :func:`parse_url`
    :param session: sends the requests, with a token
    :param warn: called with each text that the user should see although reading goes on
    """

    def __init__(self, url: str, session: Session, warn: Callable[[str], None]):
        self._url = url
        self._session = session
        self._warn = warn
        self._is_anonymous = session.auth is None
        self._headers = {"Accept": "application/json", **(ANONYMOUS_HEADERS if self._is_anonymous else {})}
        self._has_responded = False

    def pages(self, since: str | None = None) -> Iterator[list[Any]]:
        """Yield pages of events, not decoded, in the order of their times: of all projects if the caller may see them.

        :param since: time of the first events; None: all
        :raises RemoteError: if the service refuses a request, does not respond, or is not a Panko
        """
        sees_all = self.sees_all
        first = _make_query(since, sees_all)
        following: Query | None = first
        has_links = False
        while following is not None:
            try:
                events, following = self._get_page(following)
            except MarkerMissing:
                # The event was deleted meanwhile. Begin at its time: events of that time come again, as duplicates.
                first = following = _make_query(since, sees_all)
                continue
            has_links = has_links or following is not None
            if events:
                yield events
                last = events[-1]
                since = last["generated"]
                if not has_links and len(events) >= PAGE_EVENTS:
                    # Panko 10 has no links.
                    following = [*first, ("marker", last["message_id"])]

    @functools.cached_property
    def sees_all(self) -> bool:
        """Whether the caller may see the events of all projects.

        Panko 10 would answer others that there are no events, and so would seem empty.

        :raises RemoteError: as for :meth:`pages`
        """
        with contextlib.suppress(NotAllowed):
            self._request("event_types", [])
            return True
        self._request("events", [("limit", "1")])
        self._warn("Only the events of your own project and user can be read; an admin can read those of all.")
        return False

    def _get_page(self, query: Query) -> tuple[list[Any], Query | None]:
        """Return the events of a page, and the query of the next one if the response has a link to it."""
        response = self._request("events", query)
        events = _parse_list(response, self._url)
        link = response.links.get("next", {}).get("url")
        # The rest of its address is ignored: a service behind a proxy may not know the address that its clients use.
        return events, None if link is None else parse_qsl(urlsplit(link).query, keep_blank_values=True)

    def _request(self, resource: str, query: Query) -> Any:
        """Return the response to a request, which is repeated while the service is unavailable.

        :raises RemoteError: if there is none, or if it is an error
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_retry),
            wait=_pause,
            stop=tenacity.stop_after_delay(MAX_UNAVAILABLE_SECONDS),
            before_sleep=self._report_pause,
            reraise=True,
        )
        response = retrying(self._request_once, f"{self._url}/v2/{resource}", query)
        self._has_responded = True
        return response

    def _may_retry(self, error: BaseException) -> bool:
        """Return whether to try again; not if an address has never worked, as it may be wrong."""
        return isinstance(error, Unavailable) and (self._has_responded or error.retry_after > 0)

    def _report_pause(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._warn(f"{error} Trying again in {state.upcoming_sleep:.0f} seconds.")

    def _request_once(self, url: str, query: Query) -> Any:
        try:
            # A redirect could send the token to another host, and lose the query.
            response = self._session.get(
                url,
                params=query,
                headers=self._headers,
                raise_exc=False,
                redirect=False,
                user_agent="panko",
                timeout=SILENCE_SECONDS,
            )
        except CONNECTION_ERRORS as error:
            raise Unavailable(f"{self._url} or its Keystone cannot be reached: {_root_cause(error)}.") from error
        except keystone_errors.SSLError as error:
            raise RemoteError(
                f"There is no TLS connection to {self._url} or its Keystone: {_root_cause(error)}. If its "
                "certificate is not of a public CA, set OS_CACERT to a file with that of the CA."
            ) from error
        except keystone_errors.ClientException as error:
            raise RemoteError(f"There is no token for {self._url}: {error}. {HINT}") from error
        if response.status_code != http.HTTPStatus.OK:
            raise self._make_error(response)
        return response

    def _make_error(self, response: Any) -> RemoteError:
        status = response.status_code
        reason = _read_reason(response)
        said = f"{self._url} has responded with HTTP {status}: {reason}."
        if status in UNAVAILABLE_STATUSES:
            return Unavailable(said, _read_retry_after(response) or MIN_BACKOFF_SECONDS)
        if status == http.HTTPStatus.UNAUTHORIZED:
            return NotAllowed(f"{said} {HINT if self._is_anonymous else 'Check the variables OS_*.'}")
        if status == http.HTTPStatus.FORBIDDEN:
            return NotAllowed(said)
        if location := response.headers.get("Location"):
            return RemoteError(
                f"{said} Redirects are not followed: give the address that it names, {excerpt(location)}"
            )
        if status == http.HTTPStatus.NOT_FOUND:
            return RemoteError(f"{said} Check the address: there should be a Panko.")
        if reason.startswith("Marker ") and reason.endswith("not found"):
            return MarkerMissing(said)
        return RemoteError(said)


def _make_query(since: str | None, sees_all: bool) -> Query:
    filters = [("all_tenants", "eq", "True")] if sees_all else []
    if since is not None:
        filters.append(("start_timestamp", "ge", since))
    query = [
        (f"q.{name}", value) for each in filters for name, value in zip(("field", "op", "value"), each, strict=True)
    ]
    # With both keys, also Panko 10 neither skips nor repeats events of the same time.
    return [*query, ("sort", "generated:asc"), ("sort", "message_id:asc"), ("limit", str(PAGE_EVENTS))]


def _parse_list(response: Any, url: str) -> list[Any]:
    """Return the events of a response.

    :raises RemoteError: if it has none
    """
    what = describe_start(response.content[:200])
    if what is None:
        events = None
        with contextlib.suppress(ValueError, RecursionError):
            events = parse_json(response.content)
        if isinstance(events, list) and all(isinstance(event, dict) for event in events):
            last = events[-1] if events else {"generated": "", "message_id": ""}
            if isinstance(last.get("generated"), str) and isinstance(last.get("message_id"), str):
                return events
        what = describe_object(events) if isinstance(events, dict) else None
    raise RemoteError(f"{url} has not responded as a Panko: {what or 'it is not a list of events'}.")


def _read_reason(response: Any) -> str:
    """Return the reason in an error response in one line, without a full stop at its end."""
    text = ""
    with contextlib.suppress(ValueError, RecursionError):
        body = parse_json(response.content)
        described = describe_object(body) if isinstance(body, dict) else None
        text = described.partition(": ")[2] if described else ""
    return excerpt(" ".join(text.split()) or response.reason or "no reason").rstrip(".")


def _read_retry_after(response: Any) -> float:
    """Return the seconds to wait before the next request; 0 if the service does not say."""
    text = response.headers.get("Retry-After", "0")
    with contextlib.suppress(ValueError, TypeError):
        if text.isdecimal():
            return float(text)
        moment = parsedate_to_datetime(text)
        return max((moment - datetime.datetime.now(moment.tzinfo)).total_seconds(), 0.0)
    return 0.0


_exponential = tenacity.wait_exponential(MIN_BACKOFF_SECONDS, max=MAX_BACKOFF_SECONDS)


def _pause(state: tenacity.RetryCallState) -> float:
    """Return the seconds until the next attempt: as the service says, but at most ten minutes, or longer each time."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Unavailable) else 0
    return max(min(asked, 10 * MAX_BACKOFF_SECONDS), _exponential(state))


def _root_cause(error: BaseException) -> BaseException:
    """Return the first error of a chain, such as "Connection refused"."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error
