# SPDX-License-Identifier: Apache-2.0
"""Application credentials, traded for tokens of Keystone, which are kept for as long as they can be used."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import cachetools
from keystoneauth1 import loading
from keystoneauth1.access import AccessInfo
from keystoneauth1.exceptions import ClientException, MissingAuthPlugin, http
from keystoneauth1.identity.v3 import ApplicationCredential
from keystoneauth1.session import Session
from oslo_config import cfg
from oslo_log import log

from panko.api.keystone import GROUP, KeystoneCalls, register_options

LOG = log.getLogger(__name__)

MOST = 1024
"""Credentials that are known at once, and as many that were refused."""

MARGIN = 60
"""Seconds before a token's end from which on it is not used for another request."""

REFUSED_FOR = 10
"""Seconds for which credentials that Keystone refused are not asked about again."""

REFUSALS = (http.BadRequest, http.Unauthorized, http.Forbidden, http.NotFound)
"""What Keystone says of a credential: not found is an id that it does not know."""


class CredentialRefused(Exception):
    """Keystone does not know the credential, or its secret is another one, or it has expired."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Id and secret of an application credential."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A token of Keystone, and when not to use it any more, by :func:`time.monotonic`."""

    id: str = field(repr=False)
    end: float


class Keystone:
    """The Keystone that authtoken asks as well.

    :param conf: the service's configuration, whose section [keystone_authtoken] names it
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self._conf = conf
        register_options(conf)
        self.calls = KeystoneCalls(conf[GROUP].http_connect_timeout)

    def issue(self, credential: Credential) -> Token:
        """Return a new token.

        :raises CredentialRefused: where Keystone gives none for this credential
        :raises ClientException: where Keystone cannot be asked
        """
        url = self._url()
        asked = time.monotonic()
        try:
            plugin = ApplicationCredential(url, credential.secret, credential.id)
            access = self.calls.run(_ask, plugin, self._session())
        except REFUSALS as error:
            LOG.warning("Keystone refused the application credential %.64a: %s", credential.id, error.http_status)
            raise CredentialRefused from error
        # Its times are compared with each other, and not with a clock of ours.
        return Token(access.auth_token, asked + (access.expires - access.issued).total_seconds() - MARGIN)

    def _url(self) -> str:
        plugin = loading.load_auth_from_conf_options(self._conf, GROUP)
        url = getattr(plugin, "auth_url", None)
        if not url:
            raise MissingAuthPlugin(f"[{GROUP}] auth_url is not set")
        return url

    def _session(self) -> Session:
        section = self._conf[GROUP]
        return loading.session.Session().load_from_options(
            insecure=section.insecure,
            cacert=section.cafile,
            cert=section.certfile,
            key=section.keyfile,
            timeout=section.http_connect_timeout,
        )


def _ask(plugin: ApplicationCredential, session: Session) -> AccessInfo:
    try:
        return plugin.get_access(session)
    finally:
        session.session.close()


class Tokens:
    """The tokens of those who have shown credentials. Any number of threads may ask.

    Credentials are known by a keyed hash alone: nothing here holds a secret.

    :param issue: what gets a token, as :meth:`Keystone.issue` does
    :param clock: tells the time in seconds; that of the tokens' ends
    """

    def __init__(self, issue: Callable[[Credential], Token], clock: Callable[[], float] = time.monotonic):
        self._issue = issue
        self._salt = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._tokens: cachetools.TLRUCache = cachetools.TLRUCache(MOST, _end_of, clock)
        # Of their own, so that those who guess do not make the others' tokens forgotten.
        self._refused: cachetools.TTLCache = cachetools.TTLCache(MOST, REFUSED_FOR, clock)
        self._asking: dict[bytes, Future[Token]] = {}

    def get(self, credential: Credential) -> str:
        """Return a token. Of many who ask for the same at once, one asks Keystone, and the others wait for it.

        :raises CredentialRefused: where Keystone gives none for this credential
        :raises ClientException: where Keystone cannot be asked
        """
        key = self._key_of(credential)
        with self._lock:
            token = self._tokens.get(key)
            if token is not None:
                return token.id
            if key in self._refused:
                raise CredentialRefused
            asking = self._asking.get(key)
            if asking is None:
                mine = self._asking[key] = Future()
        return asking.result().id if asking else self._ask(key, credential, mine).id

    def forget(self, credential: Credential, token: str) -> None:
        """Have the next one who asks get another token than this one."""
        key = self._key_of(credential)
        with self._lock:
            known = self._tokens.get(key)
            if known is not None and known.id == token:
                del self._tokens[key]

    def _ask(self, key: bytes, credential: Credential, asking: Future) -> Token:
        token, error = None, None
        try:
            token = self._issue(credential)
        except BaseException as raised:
            error = raised
        with self._lock:
            del self._asking[key]
            if token is not None:
                self._tokens[key] = token
            elif isinstance(error, CredentialRefused):
                self._refused[key] = True
        # Each gets an exception of its own: one that several threads raise gathers the tracebacks of all.
        if error is not None:
            asking.set_exception(_again(error))
            raise error
        asking.set_result(token)
        return token

    def _key_of(self, credential: Credential) -> bytes:
        # An id cannot hold a NUL any more than a header can.
        text = f"{credential.id}\0{credential.secret}"
        return hmac.digest(self._salt, text.encode(), hashlib.sha256)


def _end_of(key: bytes, token: Token, now: float) -> float:
    return token.end


def _again(error: BaseException) -> Exception:
    return CredentialRefused() if isinstance(error, CredentialRefused) else ClientException(str(error))
