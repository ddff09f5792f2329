# SPDX-License-Identifier: Apache-2.0
"""Sign-in of people by Keystone, and the projects that they can choose."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from keystoneauth1.access import create
from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from oslo_log import log

from panko.api.keystone import REFUSALS, Keystone

LOG = log.getLogger(__name__)

MAX_TOKEN_CHARACTERS = 3800
"""Length of a token: browsers accept cookies of 4,096 bytes with their names and attributes."""

DEFAULT_DOMAIN = "Default"
"""Name of the domain that every Keystone has."""

SIGN_INS = "panko.explorer.sign_ins"
"""Environ key: the :class:`SignIns` of the explorer; None if there is no Keystone."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")

Result = TypeVar("Result")


class SignInRefused(Exception):
    """Keystone refuses the sign-in; the text says what to do.

    :param reason: why, for the log
    """

    def __init__(self, text: str, reason: object):
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and the seconds from its issue to its end."""

    id: str = field(repr=False)
    seconds: int


@dataclass(frozen=True, slots=True)
class Password:
    """What a user types to sign in.

    :param project: name or id; empty: the user chooses one later
    """

    user: str
    password: str = field(repr=False)
    user_domain: str = DEFAULT_DOMAIN
    project: str = ""
    project_domain: str = DEFAULT_DOMAIN


@dataclass(frozen=True, slots=True)
class Project:
    """A project in which a user has a role."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Scopes:
    """What a user can choose to work in.

    :param has_system: whether the user has a role in the whole system
    """

    projects: tuple[Project, ...]
    has_system: bool


class SignIns:
    """Trades what people type for tokens, at the Keystone of [keystone_authtoken].

    All methods but :meth:`revoke` raise ClientException if Keystone is not available.

    :param keystone: sends the requests; those of one call share its timeout
    """

    def __init__(self, keystone: Keystone):
        self._keystone = keystone

    def by_password(self, typed: Password) -> Token:
        """Return a token for a user and a project; an unscoped one if no project is given.

        :raises SignInRefused: if the password is wrong, or the user has no role in the project
        """
        url = self._keystone.find_url()
        plugin = v3.Password(
            url,
            username=typed.user,
            password=typed.password,
            user_domain_name=typed.user_domain,
            unscoped=True,
            include_catalog=False,
        )
        with self._keystone.calls.within_deadline():
            token = self._trade(
                plugin,
                "Keystone refused this user and password. Check the name, its domain and the password. If Keystone "
                "asks for more than a password, sign in with a token.",
            )
            return self._enter_project(token, typed) if typed.project else token

    def _enter_project(self, token: Token, typed: Password) -> Token:
        """Return a token for the project of a name, or else of an id."""
        text = f"This user has no role in a project {typed.project[:64]!r} of the domain {typed.project_domain[:64]!r}."
        domain = typed.project_domain
        try:
            return self._rescope(token.id, text, project_name=typed.project, project_domain_name=domain)
        except SignInRefused:
            return self._rescope(token.id, text, project_id=typed.project)

    def by_application_credential(self, credential_id: str, secret: str) -> Token:
        """Return a token for an application credential.

        :raises SignInRefused: if Keystone refuses it
        """
        plugin = v3.ApplicationCredential(
            self._keystone.find_url(),
            application_credential_id=credential_id,
            application_credential_secret=secret,
            include_catalog=False,
        )
        return self._trade(plugin, "Keystone knows no application credential of this id and secret.")

    def by_token(self, token: str) -> Token:
        """Return a token that somebody has got elsewhere.

        :raises SignInRefused: if it is not valid
        """
        text = "Keystone does not accept this token: it has expired, or is not complete."
        if not _TOKEN.fullmatch(token):
            raise SignInRefused(text, "not a token")
        check_length(token)
        url = f"{self._url()}/auth/tokens?nocatalog"
        headers = {"X-Auth-Token": token, "X-Subject-Token": token, "Accept": "application/json"}

        def validate(session: Session) -> Token:
            return _make_token(create(resp=session.get(url, headers=headers, authenticated=False), auth_token=token))

        return self._request(validate, text)

    def switch(self, token: str, project_id: str | None) -> Token:
        """Return a token for another project; None: for the whole system.

        :raises SignInRefused: if the user has no role there, or the token is that of an application credential
        """
        text = (
            "Keystone refused to switch: you have no role there, or have signed in with an application credential, "
            "which is for one project alone."
        )
        return self._rescope(token, text, **({"project_id": project_id} if project_id else {"system_scope": "all"}))

    def list_scopes(self, token: str) -> Scopes:
        """Return what the user of a token can choose, projects by name.

        :raises SignInRefused: if the token is not valid any more
        """
        url = self._url()
        headers = {"X-Auth-Token": token, "Accept": "application/json"}

        def read(session: Session) -> Scopes:
            projects = session.get(f"{url}/auth/projects", headers=headers, authenticated=False).json()["projects"]
            system = session.get(f"{url}/auth/system", headers=headers, authenticated=False).json()["system"]
            found = [Project(str(each["id"]), str(each["name"])) for each in projects if each.get("enabled", True)]
            return Scopes(tuple(sorted(found, key=lambda each: (each.name, each.id))), bool(system))

        return self._request(read, "Keystone does not list the projects of this sign-in.")

    def revoke(self, token: str) -> None:
        """Revoke a token if Keystone is available."""

        def delete(session: Session) -> None:
            headers = {"X-Auth-Token": token, "X-Subject-Token": token}
            session.delete(f"{self._url()}/auth/tokens", headers=headers, authenticated=False)

        try:
            self._request(delete, "")
        except (SignInRefused, ClientException) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            LOG.warning("A token could not be revoked at sign-out, and stays valid until it expires: %s", reason)

    def _rescope(self, token: str, text: str, **scope: Any) -> Token:
        return self._trade(v3.Token(self._keystone.find_url(), token, include_catalog=False, **scope), text)

    def _trade(self, plugin: v3.Auth, text: str) -> Token:
        """Return the token that a plugin gets.

        :param text: of the error if it is refused
        """
        return self._request(lambda session: _make_token(plugin.get_access(session)), text)

    def _request(self, send: Callable[[Session], Result], text: str) -> Result:
        try:
            return self._keystone.request(send)
        except REFUSALS as error:
            raise SignInRefused(text, error.http_status) from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # What answers at the address of Keystone is something else.
            raise ClientException(f"the answer is not that of a Keystone: {type(error).__name__}") from error

    def _url(self) -> str:
        url = self._keystone.find_url().rstrip("/")
        return url if url.endswith("/v3") else f"{url}/v3"


def is_token(text: str) -> bool:
    """Return whether a text can be a token that a cookie holds."""
    return len(text) <= MAX_TOKEN_CHARACTERS and _TOKEN.fullmatch(text) is not None


def check_length(token: str) -> None:
    """Raise SignInRefused if a token is too long for a cookie."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise SignInRefused(
            f"The token is too long for a browser's cookie: it has {len(token)} characters of at most "
            f"{MAX_TOKEN_CHARACTERS}. Use a Keystone with fernet tokens, or the API instead.",
            "token too long",
        )


def _make_token(access: Any) -> Token:
    """Return the token of an answer.

    :raises TypeError: if the answer has no times
    """
    check_length(access.auth_token)
    # Keystone's times are compared only with each other. A cookie that outlives its token does no harm.
    return Token(access.auth_token, max(1, int((access.expires - access.issued).total_seconds())))
