# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in the API, and the one table from exceptions to what a client is told."""

import http
from collections.abc import Mapping, Sequence
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

MAX_TEXT = 450
"""Characters of an error text: our own, with what they repeat, are shorter."""

RETRY_AFTER = 10
"""Seconds after which a client may ask again what the storage could not answer."""


class InvalidConfiguration(cfg.Error):
    """The API cannot be made as it is configured; the text is one line that says in which file and why."""

    def __init__(self, path: str, reason: object):
        super().__init__(f"{path}: {' '.join(str(reason).split())}")


class PolicyUnusable(Exception):
    """The policy cannot be read any more, so nobody is let in; the text says in which file and why."""


class Refused(ClientSideError):
    """The policy does not let the caller do this."""

    def __init__(self):
        super().__init__("RBAC Authorization Failed", status_code=403)


class ProjectNotAuthorized(ClientSideError):
    """The caller is limited to a project's events, and asked for more; clients expect a 401 here."""

    def __init__(self, project_id: str):
        super().__init__(f"Not Authorized to access project {excerpt(project_id)}", status_code=401)


class NotFound(ClientSideError):
    """What the caller asks for is not there, or not theirs to see."""

    def __init__(self, kind: str, name: str):
        super().__init__(f"{kind} {excerpt(name)} Not Found", status_code=404)


class NothingStored(ClientSideError):
    """Every event that the caller sent was refused.

    :param refusals: what the client is told of each
    """

    def __init__(self, refusals: Sequence[Mapping[str, Any]]):
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        super().__init__(f"No event could be stored. {refusals[0]['index']}: {excerpt(refusals[0]['reason'])}{more}")
        self.refusals = refusals


class TooManyLargeAnswers(Exception):
    """As many large answers as may be are being sent already."""


class AnswerAborted(Exception):
    """An answer that had begun could not be finished: the server is to break the connection off."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a client is told of an error: ``body`` is the JSON under ``error_message``, ``text`` what XML says."""

    status: int
    text: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, text: str, headers: Mapping[str, str] | None = None) -> "Fault":
        """Return a fault in the form that WSME gives to the errors of a method."""
        body = {"faultcode": _code(status), "faultstring": text, "debuginfo": None}
        return cls(status, text, body, headers or {})

    @property
    def code(self) -> str:
        """Whose fault it is: Client or Server."""
        return _code(self.status)


def _code(status: int) -> str:
    return "Server" if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else "Client"


def _client_fault(error: ClientSideError) -> Fault:
    """Return the fault of an error of the client, whose text repeats no more of what was sent than it may."""
    if isinstance(error, InvalidInput):
        return Fault.of(error.code, _shortened(error).faultstring)
    if isinstance(error, UnknownArgument):
        return Fault.of(error.code, UnknownArgument(excerpt(error.argname), error.msg).faultstring)
    return Fault.of(error.code, _bounded(error.faultstring))


def _shortened(error: InvalidInput) -> InvalidInput:
    value, reason = str(error.value), str(error.msg)
    if len(value) > MAX_REPEATED:
        half = MAX_REPEATED // 2
        if value[: half // 2] in reason:
            reason = excerpt(reason, half)
        value = excerpt(value, half)
    return InvalidInput(excerpt(error.fieldname), value, _bounded(reason))


def _bounded(text: str) -> str:
    """Return a text, its middle left out if it is longer than any of our own: it is another library's and repeats."""
    half = MAX_REPEATED // 2
    return text if len(text) <= MAX_TEXT else f"{text[:half]}…{text[-half:]}"


def _routing_fault(error: webob.exc.HTTPException) -> Fault:
    """Return the fault of an address or a method that is not served; its JSON has a form of its own."""
    body = {"code": error.status_int, "title": error.title, "description": error.detail or None}
    return Fault(error.status_int, error.detail or error.title, body, dict(error.headers))


def _refusals_fault(error: NothingStored) -> Fault:
    """Return the fault of a request whose events were all refused; its JSON names each of them."""
    fault = Fault.of(error.code, error.faultstring)
    return replace(fault, body={**fault.body, "refusals": error.refusals})


_LATER = {"Retry-After": str(RETRY_AFTER)}
_INTERNAL = Fault.of(500, "The service failed on this request; its log says why.")
_NO_STORAGE = Fault.of(503, "The storage is not available. Please try again later.", _LATER)
_QUERY_TIMEOUT = Fault.of(
    503,
    "The request needs more time than the database may spend on it. Please try again later, or ask for less, as by a "
    "shorter time between start_timestamp and end_timestamp, or fewer filters.",
    _LATER,
)
_NO_KEYSTONE = Fault.of(503, "The identity service is not available. Please try again later.", _LATER)
_TOO_MANY_LARGE = Fault.of(
    503, "Too many large answers are being sent. Please try again later, or ask for fewer events at once.", _LATER
)

_FAULTS = (
    (NothingStored, _refusals_fault),
    (ClientSideError, _client_fault),
    (webob.exc.HTTPException, _routing_fault),
    (InvalidMarker, lambda error: Fault.of(400, _bounded(str(error)))),
    (InvalidFilter, lambda error: Fault.of(400, _bounded(str(error)))),
    (NotSupported, lambda error: Fault.of(501, str(error))),
    (QueryTimeout, lambda error: _QUERY_TIMEOUT),
    (StorageTimeout, lambda error: Fault.of(503, f"{error} Please try again later.", _LATER)),
    (StorageFull, lambda error: Fault.of(503, f"{error} Please try again later.", _LATER)),
    (StorageUnavailable, lambda error: _NO_STORAGE),
    (StorageMisconfigured, lambda error: _NO_STORAGE),
    (TooManyLargeAnswers, lambda error: _TOO_MANY_LARGE),
    (SchemaMismatch, lambda error: _NO_STORAGE),
    (KeystoneException, lambda error: _NO_KEYSTONE),
    (Exception, lambda error: _INTERNAL),
)
"""From exceptions to faults; the first line that fits counts."""


def fault_of(error: Exception) -> Fault:
    """Return what a client is told of an exception."""
    return next(make(error) for kind, make in _FAULTS if isinstance(error, kind))


def describe(error: Exception) -> str:
    """Return what an exception says for the log, in one line, with what only the log is told."""
    said = f"{type(error).__name__}: {error} {getattr(error, 'detail', '')}"
    return " ".join(said.split())


def log_fault(error: Exception, fault: Fault, request_id: str | None) -> None:
    """Log an error that is not the client's, with its cause: this is the one place where it is logged."""
    if fault.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        LOG.error("Request %s cannot be answered now: %s", request_id, describe(error))
    elif fault.code == "Server" and fault.status != http.HTTPStatus.NOT_IMPLEMENTED:
        log_failure("Request %s failed", request_id, error)


def log_failure(message: str, request_id: str | None, error: Exception) -> None:
    """Log that a request failed: with a traceback, where the fault is not the storage's but in the program."""
    if isinstance(error, StorageError):
        LOG.error(f"{message}: %s", request_id, describe(error))
    else:
        LOG.error(message, request_id, exc_info=error)
