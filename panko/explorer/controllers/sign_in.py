# SPDX-License-Identifier: Apache-2.0
"""Sign-in and sign-out, and the choice of a project or a persona. Only POST requests change anything."""

from collections.abc import Mapping
from typing import Any

import pecan
import webob
import webob.exc
from keystoneauth1.exceptions import ClientException
from oslo_log import log
from oslo_middleware.request_id import ENV_REQUEST_ID

from panko.api.errors import RETRY_AFTER_SECONDS, describe
from panko.api.routing import Resource
from panko.explorer import sessions
from panko.explorer.controllers.decorators import expose_page
from panko.explorer.keystone import DEFAULT_DOMAIN, SIGN_INS, Password, SignInRefused, SignIns, Token
from panko.explorer.middleware import BY_HEADERS, BY_TOKEN, CALLER_KIND
from panko.explorer.rendering import render
from panko.explorer.responses import SIGN_IN, find_next, redirect
from panko.explorer.views.personas import list_personas

LOG = log.getLogger(__name__)

NOT_AVAILABLE = (
    "Keystone is not available, so nobody can sign in. Try again in a moment. If it stays so, the administrator finds "
    "the reason in Panko's log; the address is [keystone_authtoken] auth_url."
)

WHOLE_SYSTEM = "system"
"""Value of the field ``scope`` that stands for the whole system, rather than a project."""

_KEPT_FIELDS = ("user", "user_domain", "project", "project_domain", "credential")
"""What a person need not type again after an error."""


def _sign_ins() -> SignIns:
    """Return what signs people in; a deployment without Keystone does not have these pages."""
    found: SignIns | None = pecan.request.environ.get(SIGN_INS)
    if found is None:
        raise webob.exc.HTTPNotFound
    return found


def _read_form() -> dict[str, str]:
    return sessions.read_form(pecan.request, pecan.request.panko.secret.read())


class SignInController(Resource):
    """The sign-in page."""

    @expose_page
    def get_all(self) -> webob.Response:
        """Return the page."""
        _sign_ins()
        return _show_sign_in({"next": pecan.request.GET.get("next", "")})

    @expose_page
    def post(self) -> webob.Response:
        """Sign in, and lead to where the person wanted to go."""
        sign_ins, form = _sign_ins(), _read_form()
        try:
            token = _sign_in(sign_ins, form)
        except SignInRefused as error:
            LOG.warning("The sign-in of %s from %s was refused: %s", _name(form), _client(), error.reason)
            return _show_sign_in(form, 403, str(error))
        except ClientException as error:
            _log_unavailable(error)
            return _show_sign_in(form, 503, NOT_AVAILABLE)
        return _lead_on(form, token)


class SignOutController(Resource):
    """The end of a sign-in."""

    @expose_page
    def post(self) -> webob.Response:
        """Revoke the token, delete its cookie, and lead to the sign-in page."""
        sign_ins = _sign_ins()
        _read_form()
        token = sessions.read_token(pecan.request)
        if token:
            sign_ins.revoke(token)
        response = redirect(SIGN_IN)
        sessions.delete_cookie(response, pecan.request, sessions.TOKEN)
        return response


class ProjectController(Resource):
    """The projects of the user."""

    @expose_page
    def get_all(self) -> webob.Response:
        """Return the page on which a person chooses a project."""
        return self._show({"next": pecan.request.GET.get("next", "")})

    @expose_page
    def post(self) -> webob.Response:
        """Switch to a project, and lead to where the person wanted to go."""
        sign_ins, form = _sign_ins(), _read_form()
        project = None if form.get("scope") == WHOLE_SYSTEM else form.get("project", "").strip()
        if project == "":
            return self._show(form, 400, "Choose a project.")
        try:
            token = sign_ins.switch(_own_token(), project)
        except SignInRefused as error:
            LOG.warning("A switch to project %.64a from %s was refused: %s", project, _client(), error.reason)
            return self._show(form, 403, str(error))
        except ClientException as error:
            _log_unavailable(error)
            return self._show(form, 503, NOT_AVAILABLE)
        return _lead_on(form, token)

    def _show(self, form: Mapping[str, str], status: int = 200, problem: str = "") -> webob.Response:
        sign_ins, token, scopes = _sign_ins(), _own_token(), None
        try:
            scopes = sign_ins.list_scopes(token) if status != 503 else None
        except SignInRefused as error:
            problem, status = problem or str(error), 403
        except ClientException as error:
            _log_unavailable(error)
            problem, status = NOT_AVAILABLE, 503
        return _show("project.html", status, next=find_next(form.get("next")), problem=problem, scopes=scopes)


class PersonaController(Resource):
    """Who a person without Keystone wants to be."""

    @expose_page
    def get_all(self) -> webob.Response:
        """Return the page on which a person chooses."""
        return self._show({"next": pecan.request.GET.get("next", "")})

    @expose_page
    def post(self) -> webob.Response:
        """Remember the choice in a cookie, and lead to where the person wanted to go."""
        self._require()
        form = _read_form()
        try:
            persona = sessions.Persona(form.get("project", "").strip(), form.get("user", "").strip())
        except ValueError:
            return self._show(form, 400, "A member has a project id and a user id, each of up to 255 characters.")
        response = redirect(find_next(form.get("next")))
        seconds = sessions.PERSONA_SECONDS
        sessions.set_cookie(response, pecan.request, sessions.PERSONA, persona.to_cookie(), seconds)
        return response

    def _show(self, form: Mapping[str, str], status: int = 200, problem: str = "") -> webob.Response:
        self._require()
        personas = list_personas(pecan.request.panko.storage)
        return _show("persona.html", status, next=find_next(form.get("next")), problem=problem, personas=personas)

    def _require(self) -> None:
        """Raise HTTPNotFound if a Keystone says who people are, and HTTPForbidden if a proxy's headers do."""
        environ = pecan.request.environ
        if environ.get(SIGN_INS) is not None:
            raise webob.exc.HTTPNotFound
        if environ[CALLER_KIND] == BY_HEADERS:
            raise webob.exc.HTTPForbidden("The request has identity headers already.")


def _sign_in(sign_ins: SignIns, form: Mapping[str, str]) -> Token:
    """Return the token for what a person has typed.

    :raises SignInRefused: if something is missing, or Keystone refuses it
    """
    text = {name: value.strip() for name, value in form.items()}
    method = text.get("method")
    if method == "token" and text.get("token"):
        return sign_ins.by_token(text["token"])
    if method == "credential" and text.get("credential") and form.get("secret"):
        return sign_ins.by_application_credential(text["credential"], form["secret"])
    if method == "password" and text.get("user") and form.get("password"):
        return sign_ins.by_password(
            Password(
                user=text["user"],
                password=form["password"],
                user_domain=text.get("user_domain") or DEFAULT_DOMAIN,
                project=text.get("project", ""),
                project_domain=text.get("project_domain") or DEFAULT_DOMAIN,
            )
        )
    raise SignInRefused("A field is empty: type a user and a password, an id and a secret, or a token.", "empty field")


def _own_token() -> str:
    """Return the token of the cookie.

    :raises HTTPForbidden: if the caller is known by the header of the request, which a cookie cannot replace
    """
    request = pecan.request
    _sign_ins()
    if request.environ[CALLER_KIND] != BY_TOKEN:
        raise webob.exc.HTTPForbidden("The request has a token in a header.")
    return sessions.read_token(request)


def _lead_on(form: Mapping[str, str], token: Token) -> webob.Response:
    response = redirect(find_next(form.get("next")))
    sessions.set_cookie(response, pecan.request, sessions.TOKEN, token.id, token.seconds)
    return response


def _show_sign_in(form: Mapping[str, str], status: int = 200, problem: str = "") -> webob.Response:
    kept = {name: form.get(name, "") for name in _KEPT_FIELDS}
    names = {"next": find_next(form.get("next")), "problem": problem, "kept": kept, "default_domain": DEFAULT_DOMAIN}
    return _show("sign_in.html", status, **names)


def _show(template: str, status: int, **names: Any) -> webob.Response:
    request = pecan.request
    csrf = sessions.make_csrf_field(request, request.panko.secret.read())
    response = render(template, status=status, csrf=csrf, **names)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _log_unavailable(error: ClientException) -> None:
    request_id = pecan.request.environ.get(ENV_REQUEST_ID)
    LOG.error("Request %s cannot be answered now: %s", request_id, describe(error))


def _name(form: Mapping[str, str]) -> str:
    """Return who wanted to sign in, for the log; never a secret."""
    method = form.get("method")
    if method == "password":
        return f"user {form.get('user', '')[:64]!a} of domain {(form.get('user_domain') or DEFAULT_DOMAIN)[:64]!a}"
    return f"application credential {form.get('credential', '')[:64]!a}" if method == "credential" else "a token"


def _client() -> str:
    return str(pecan.request.environ.get("REMOTE_ADDR") or "-")
