# SPDX-License-Identifier: Apache-2.0
"""Keystone: calls with a deadline, and tokens for application credentials."""

import contextlib
import contextvars
import functools
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cachetools
from keystoneauth1 import loading
from keystoneauth1.exceptions import ClientException, ConnectTimeout, MissingAuthPlugin, http
from keystoneauth1.identity.v3 import ApplicationCredential
from keystoneauth1.session import Session
from keystonemiddleware import opts
from oslo_config import cfg
from oslo_log import log

LOG = log.getLogger(__name__)

GROUP = "keystone_authtoken"

DEFAULT_TIMEOUT_SECONDS = 10
"""The default of http_connect_timeout; that of keystonemiddleware waits forever."""

MAX_CALLS = 64
"""Calls that run at once in a process, including those whose callers have stopped waiting."""

MAX_CACHED_CREDENTIALS = 1024
"""Credentials with a cached token, and as many that were refused."""

TOKEN_MARGIN_SECONDS = 60
"""A token is not used in its last seconds, so that it does not expire during a request."""

REFUSAL_SECONDS = 10
"""How long Keystone is not asked again about credentials that it refused."""

REFUSALS = (http.BadRequest, http.Unauthorized, http.Forbidden, http.NotFound)
"""How Keystone refuses a credential: not found means an unknown id."""

Result = TypeVar("Result")

_deadline: contextvars.ContextVar[float] = contextvars.ContextVar("keystone_deadline")


def register_options(conf: cfg.ConfigOpts) -> None:
    """Register the options of [keystone_authtoken], with a default timeout."""
    for group, options in opts.list_auth_token_opts():
        conf.register_opts(options, group)
    conf.set_default("http_connect_timeout", DEFAULT_TIMEOUT_SECONDS, GROUP)


class KeystoneCalls:
    """Runs calls to Keystone in separate threads, and waits for them until the deadline of the request.

    The timeout of a socket applies to each read alone: it does not limit discovery, retries and a response that arrives
    byte by byte.

    :param timeout: seconds for all calls of one request
    """

    def __init__(self, timeout: float):
        self._timeout = timeout
        self._free = threading.BoundedSemaphore(MAX_CALLS)

    @contextlib.contextmanager
    def within_deadline(self) -> Iterator[None]:
        """Give all calls of this block one deadline. In nested blocks, the deadline of the outer one applies."""
        if _deadline.get(None) is not None:
            yield
            return
        token = _deadline.set(time.monotonic() + self._timeout)
        try:
            yield
        finally:
            _deadline.reset(token)

    def run(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a call, and return its result or raise its exception.

        :raises ConnectTimeout: if it has not ended by the deadline
        """
        with self.within_deadline():
            deadline = _deadline.get()
            if not self._free.acquire(timeout=max(0, deadline - time.monotonic())):
                raise _timeout_error()
            outcome: Future[Any] = Future()
            # In the same context, so that nested calls have the same deadline.
            work = functools.partial(contextvars.copy_context().run, self._work, outcome, call, args, kwargs)
            # A daemon thread, so that the process can stop while Keystone is silent.
            threading.Thread(target=work, daemon=True).start()
            try:
                return outcome.result(max(0, deadline - time.monotonic()))
            except TimeoutError:
                if outcome.done():
                    # The call raised this itself, or has ended just now.
                    return outcome.result()
                raise _timeout_error() from None

    def _work(
        self, outcome: Future[Any], call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        try:
            outcome.set_result(call(*args, **kwargs))
        except BaseException as error:
            outcome.set_exception(error)
        finally:
            self._free.release()


def _timeout_error() -> ConnectTimeout:
    return ConnectTimeout(f"Keystone has not answered within [{GROUP}] http_connect_timeout")


class CredentialRefused(Exception):
    """The credential is unknown to Keystone or has expired, or its secret is wrong."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Id and secret of an application credential."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A token of Keystone, and the time by :func:`time.monotonic` after which it is no longer used."""

    id: str = field(repr=False)
    end: float


class Keystone:
    """Sends requests to the Keystone of [keystone_authtoken], such as for tokens of application credentials.

    :param conf: the service's configuration
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self._conf = conf
        register_options(conf)
        self.calls = KeystoneCalls(conf[GROUP].http_connect_timeout)

    def issue(self, credential: Credential) -> Token:
        """Return a new token.

        :raises CredentialRefused: if Keystone refuses the credential
        :raises ClientException: if Keystone cannot be reached
        """
        plugin = ApplicationCredential(self.find_url(), credential.secret, credential.id)
        requested = time.monotonic()
        try:
            access: Any = self.request(plugin.get_access)
        except REFUSALS as error:
            LOG.warning("Keystone refused the application credential %.64a: %s", credential.id, error.http_status)
            raise CredentialRefused from error
        # Keystone's times are compared only with each other, as its clock may differ from ours.
        lifetime = (access.expires - access.issued).total_seconds()
        return Token(access.auth_token, requested + lifetime - TOKEN_MARGIN_SECONDS)

    def request(self, send: Callable[[Session], Result]) -> Result:
        """Return the result of a function that sends requests, or raise its exception.

        :param send: gets a session that does not authenticate by itself; it is called in another thread
        :raises ClientException: if Keystone cannot be reached, or has not answered in time
        """
        result: Result = self.calls.run(_send, send, self._make_session())
        return result

    def find_url(self) -> str:
        """Return the configured address of Keystone, with or without a version.

        :raises ClientException: if there is none
        """
        plugin = loading.load_auth_from_conf_options(self._conf, GROUP)
        url = getattr(plugin, "auth_url", None)
        if not url:
            raise MissingAuthPlugin(f"[{GROUP}] auth_url is not set")
        return str(url)

    def _make_session(self) -> Session:
        section = self._conf[GROUP]
        return loading.session.Session().load_from_options(
            insecure=section.insecure,
            cacert=section.cafile,
            cert=section.certfile,
            key=section.keyfile,
            timeout=section.http_connect_timeout,
        )


def _send(send: Callable[[Session], Result], session: Session) -> Result:
    try:
        return send(session)
    finally:
        session.session.close()


class TokenCache:
    """Caches tokens of credentials until they expire; any number of threads may use it.

    Stores keyed hashes of credentials, never their secrets.

    :param issue: returns a new token, as :meth:`Keystone.issue` does
    :param clock: returns the time in seconds, on the clock of the tokens' ends
    """

    def __init__(self, issue: Callable[[Credential], Token], clock: Callable[[], float] = time.monotonic):
        self._issue = issue
        self._salt = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._tokens: cachetools.TLRUCache[bytes, Token] = cachetools.TLRUCache(
            MAX_CACHED_CREDENTIALS, lambda key, token, now: token.end, clock
        )
        # Separate, so that guessed credentials do not displace the tokens of others.
        self._refused: cachetools.TTLCache[bytes, bool] = cachetools.TTLCache(
            MAX_CACHED_CREDENTIALS, REFUSAL_SECONDS, clock
        )
        self._pending: dict[bytes, Future[Token]] = {}

    def get(self, credential: Credential) -> str:
        """Return a token. If several threads request the same one, one asks Keystone and the others wait for it.

        :raises CredentialRefused: if Keystone refuses the credential
        :raises ClientException: if Keystone cannot be reached
        """
        key = self._hash(credential)
        with self._lock:
            token = self._tokens.get(key)
            if token is not None:
                return token.id
            if key in self._refused:
                raise CredentialRefused
            pending = self._pending.get(key)
            if pending is None:
                outcome = self._pending[key] = Future()
        return pending.result().id if pending else self._request(key, credential, outcome).id

    def forget(self, credential: Credential, token: str) -> None:
        """Remove a token that Keystone no longer accepts, unless it has been replaced."""
        key = self._hash(credential)
        with self._lock:
            cached = self._tokens.get(key)
            if cached is not None and cached.id == token:
                del self._tokens[key]

    def _request(self, key: bytes, credential: Credential, outcome: Future[Token]) -> Token:
        try:
            token = self._issue(credential)
        except BaseException as error:
            with self._lock:
                del self._pending[key]
                if isinstance(error, CredentialRefused):
                    self._refused[key] = True
            # A copy, as an exception that several threads raise collects the tracebacks of all.
            outcome.set_exception(_copy_error(error))
            raise
        with self._lock:
            del self._pending[key]
            self._tokens[key] = token
        outcome.set_result(token)
        return token

    def _hash(self, credential: Credential) -> bytes:
        # NUL separates them, as an id cannot contain it.
        text = f"{credential.id}\0{credential.secret}"
        return hmac.digest(self._salt, text.encode(), hashlib.sha256)


def _copy_error(error: BaseException) -> Exception:
    return CredentialRefused() if isinstance(error, CredentialRefused) else ClientException(str(error))
