# SPDX-License-Identifier: Apache-2.0
"""The API's exceptions, and the one table that maps exceptions to error responses."""

import http
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import webob.exc
from keystoneauth1.exceptions import ClientException as KeystoneException
from oslo_config import cfg
from oslo_log import log
from wsme.exc import ClientSideError, InvalidInput, UnknownArgument

from panko.storage.errors import (
    MAX_REPEATED,
    InvalidFilter,
    InvalidMarker,
    NotSupported,
    QueryTimeout,
    SchemaMismatch,
    StorageError,
    StorageFull,
    StorageMisconfigured,
    StorageTimeout,
    StorageUnavailable,
    excerpt,
)

LOG = log.getLogger(__name__)

MAX_ERROR_CHARACTERS = 450
"""Maximum length of an error text. Panko's own texts, with what they repeat, are shorter."""

RETRY_AFTER_SECONDS = 10
"""Seconds after which a client may repeat a request that failed for now."""


class InvalidConfiguration(cfg.Error):
    """The API cannot start as it is configured; the text is one line with the file and the reason."""

    def __init__(self, path: str, reason: object):
        super().__init__(f"{path}: {' '.join(str(reason).split())}")


class PolicyUnusable(Exception):
    """The policy files have become invalid.

    Requests that need a rule fail until they are corrected; the text has the file and the reason.
    """


class Refused(ClientSideError):
    """The policy does not allow the request."""

    def __init__(self) -> None:
        super().__init__("RBAC Authorization Failed", status_code=403)


class ProjectNotAuthorized(ClientSideError):
    """The caller is limited to the events of a project and requested more; clients expect 401 here."""

    def __init__(self, project_id: str | None):
        super().__init__(f"Not Authorized to access project {excerpt(project_id)}", status_code=401)


class NotFound(ClientSideError):
    """The requested resource does not exist, or the caller may not see it."""

    def __init__(self, kind: str, name: str):
        super().__init__(f"{kind} {excerpt(name)} Not Found", status_code=404)


class NothingStored(ClientSideError):
    """Every event that the caller sent was refused.

    :param refusals: index, message_id and reason of each event, as the client sees them
    """

    def __init__(self, refusals: Sequence[Mapping[str, Any]]):
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        super().__init__(f"No event could be stored. {refusals[0]['index']}: {excerpt(refusals[0]['reason'])}{more}")
        self.refusals = refusals


class CursorGone(ClientSideError):
    """The feed does not have the cursor any more.

    :param oldest: the cursor of the oldest event kept, as text
    """

    def __init__(self, oldest: str):
        super().__init__(
            "The cursor is too old: events after it have expired, or the database was restored to an earlier time. "
            "To read on from the oldest event that is kept, use the cursor in the member oldest.",
            status_code=410,
        )
        self.oldest = oldest


class TooManyStreams(Exception):
    """As many responses as allowed are being streamed already."""


class ResponseAborted(Exception):
    """A response failed after it had begun, so the server must close the connection without ending it properly."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The content of an error response.

    :param text: the message in XML; :meth:`create` has it in the JSON too
    :param body: the JSON under ``error_message``
    :param members: other members of the JSON document
    """

    status: int
    text: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, status: int, text: str, headers: Mapping[str, str] | None = None) -> "Fault":
        """Return a fault in WSME's format for errors of a method."""
        body = {"faultcode": _code(status), "faultstring": text, "debuginfo": None}
        return cls(status, text, body, headers or {})

    @property
    def code(self) -> str:
        """Who caused the error: Client or Server."""
        return _code(self.status)


def _code(status: int) -> str:
    return "Server" if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else "Client"


def _client_fault(error: ClientSideError) -> Fault:
    """Return the fault for an error of the client; its text repeats a limited part of what the client sent."""
    if isinstance(error, InvalidInput):
        return Fault.create(error.code, _shorten(error).faultstring)
    if isinstance(error, UnknownArgument):
        return Fault.create(error.code, UnknownArgument(excerpt(error.argname), error.msg).faultstring)
    return Fault.create(error.code, _truncate(error.faultstring))


def _shorten(error: InvalidInput) -> InvalidInput:
    value, reason = str(error.value), str(error.msg)
    if len(value) > MAX_REPEATED:
        half = MAX_REPEATED // 2
        if value[: half // 2] in reason:
            reason = excerpt(reason, half)
        value = excerpt(value, half)
    return InvalidInput(excerpt(error.fieldname), value, _truncate(reason))


def _truncate(text: str) -> str:
    """Return a text without its middle if it is longer than MAX_ERROR_CHARACTERS: other libraries repeat everything."""
    half = MAX_REPEATED // 2
    return text if len(text) <= MAX_ERROR_CHARACTERS else f"{text[:half]}…{text[-half:]}"


def _routing_fault(error: webob.exc.HTTPException) -> Fault:
    """Return the fault for a path or method that is not served; its JSON has a different format."""
    body = {"code": error.status_int, "title": error.title, "description": error.detail or None}
    return Fault(error.status_int, error.detail or error.title, body, dict(error.headers))


def _refusals_fault(error: NothingStored) -> Fault:
    """Return the fault for a request whose events were all refused; its JSON lists them."""
    fault = Fault.create(error.code, error.faultstring)
    return replace(fault, body={**fault.body, "refusals": error.refusals})


def _gone_fault(error: CursorGone) -> Fault:
    """Return the fault for a cursor that is gone; its JSON has the oldest one."""
    return replace(Fault.create(error.code, error.faultstring), members={"oldest": error.oldest})


_RETRY_LATER = {"Retry-After": str(RETRY_AFTER_SECONDS)}
_INTERNAL = Fault.create(500, "The service failed on this request; its log says why.")
_NO_STORAGE = Fault.create(503, "The storage is not available. Please try again later.", _RETRY_LATER)
_QUERY_TIMEOUT = Fault.create(
    503,
    "The request needs more time than the database may spend on it. Please try again later, or ask for less, as by a "
    "shorter time between start_timestamp and end_timestamp, or fewer filters.",
    _RETRY_LATER,
)
_NO_KEYSTONE = Fault.create(503, "The identity service is not available. Please try again later.", _RETRY_LATER)
_TOO_MANY_STREAMS = Fault.create(
    503, "Too many large answers are being sent. Please try again later, or ask for fewer events at once.", _RETRY_LATER
)

_FAULTS: tuple[tuple[type[Exception], Callable[[Any], Fault]], ...] = (
    (NothingStored, _refusals_fault),
    (CursorGone, _gone_fault),
    (ClientSideError, _client_fault),
    (webob.exc.HTTPException, _routing_fault),
    (InvalidMarker, lambda error: Fault.create(400, _truncate(str(error)))),
    (InvalidFilter, lambda error: Fault.create(400, _truncate(str(error)))),
    (NotSupported, lambda error: Fault.create(501, str(error))),
    (QueryTimeout, lambda error: _QUERY_TIMEOUT),
    (StorageTimeout, lambda error: Fault.create(503, f"{error} Please try again later.", _RETRY_LATER)),
    (StorageFull, lambda error: Fault.create(503, f"{error} Please try again later.", _RETRY_LATER)),
    (StorageUnavailable, lambda error: _NO_STORAGE),
    (StorageMisconfigured, lambda error: _NO_STORAGE),
    (TooManyStreams, lambda error: _TOO_MANY_STREAMS),
    (SchemaMismatch, lambda error: _NO_STORAGE),
    (KeystoneException, lambda error: _NO_KEYSTONE),
    (Exception, lambda error: _INTERNAL),
)
"""From exceptions to faults; the first class that matches is used."""


def make_fault(error: Exception) -> Fault:
    """Return the fault that reports an exception to the client."""
    return next(make(error) for kind, make in _FAULTS if isinstance(error, kind))


def describe(error: Exception) -> str:
    """Return the text of an exception for the log, in one line, with details that clients must not see."""
    text = f"{type(error).__name__}: {error} {getattr(error, 'detail', '')}"
    return " ".join(text.split())


def log_fault(error: Exception, fault: Fault, request_id: str | None) -> None:
    """Log a server error, except 501 (not supported). Errors before the response has begun are logged only here."""
    if fault.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        LOG.error("Request %s cannot be answered now: %s", request_id, describe(error))
    elif fault.code == "Server" and fault.status != http.HTTPStatus.NOT_IMPLEMENTED:
        log_failure("Request %s failed", request_id, error)


def log_failure(message: str, request_id: str | None, error: Exception) -> None:
    """Log that a request failed, with a traceback unless storage reported the error."""
    if isinstance(error, StorageError):
        LOG.error(f"{message}: %s", request_id, describe(error))
    else:
        LOG.error(message, request_id, exc_info=error)
