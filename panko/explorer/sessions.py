# SPDX-License-Identifier: Apache-2.0
"""Cookies of the explorer, and the check that a form was sent from one of its own pages."""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import webob
from wsme.exc import ClientSideError

from panko.api.cursors import decode_base64, encode_base64
from panko.api.request import read_body
from panko.explorer.keystone import is_token
from panko.explorer.rendering import EXPLORER_PATH

TOKEN = "panko-token"  # noqa: S105
PERSONA = "panko-persona"
CSRF = "panko-csrf"
"""Names of the cookies; with TLS, they have a prefix by which browsers refuse them from pages without TLS."""

TLS_PREFIX = "__Secure-"

NEW_CSRF = "panko.explorer.new_csrf"
"""Environ key: the value of the CSRF cookie to set, as the request has none."""

CSRF_FIELD = "csrf"
"""The field of each form that changes something."""

CSRF_COOKIE_BYTES = 24
CSRF_NONCE_BYTES = 12

MAX_FORM_BYTES = 64 * 1024
MAX_FIELDS = 32

MAX_ID_CHARACTERS = 255
"""Length of a persona's project and user."""

PERSONA_SECONDS = 30 * 24 * 3600
"""How long a browser keeps the choice of a persona."""

_ADMIN_COOKIE = "admin"


class ForeignForm(ClientSideError):
    """A form was not sent from a page of this explorer, or its page is too old."""

    def __init__(self, text: str):
        super().__init__(f"{text} Nothing was changed. Reload the page and try again.", status_code=403)


def read_cookie(request: webob.Request, name: str) -> str:
    """Return the value of a cookie; empty if the request has none."""
    value: str = request.cookies.get(_full_name(request, name), "")
    return value


def read_token(request: webob.Request) -> str:
    """Return the token of a sign-in; empty if the request has none, or a text that cannot be one."""
    text = read_cookie(request, TOKEN)
    return text if is_token(text) else ""


def set_cookie(response: webob.Response, request: webob.Request, name: str, value: str, seconds: int | None) -> None:
    """Set a cookie for the explorer alone, which scripts cannot read.

    :param seconds: how long browsers keep it; None: until they are closed
    """
    response.set_cookie(
        _full_name(request, name),
        value,
        max_age=seconds,
        path=EXPLORER_PATH,
        secure=_has_tls(request),
        httponly=True,
        # With Strict, a browser would not send it when a person follows a link from a ticket.
        samesite="Lax",
    )


def delete_cookie(response: webob.Response, request: webob.Request, name: str) -> None:
    """Make the browser forget a cookie."""
    set_cookie(response, request, name, "", 0)


def _full_name(request: webob.Request, name: str) -> str:
    return f"{TLS_PREFIX}{name}" if _has_tls(request) else name


def _has_tls(request: webob.Request) -> bool:
    return bool(request.scheme == "https")


@dataclass(frozen=True, slots=True)
class Persona:
    """Who a person without Keystone wants to be: a member of a project, or the administrator if both are empty."""

    project_id: str = ""
    user_id: str = ""

    def __post_init__(self) -> None:
        """Check the ids.

        :raises ValueError: if one is missing, too long or not a line of text
        """
        for each in (self.project_id, self.user_id):
            if not self.is_admin and not (each.isprintable() and 0 < len(each) <= MAX_ID_CHARACTERS):
                raise ValueError("It is not an id.")

    @property
    def is_admin(self) -> bool:
        """Whether it is the administrator."""
        return not self.project_id and not self.user_id

    def headers(self) -> dict[str, str]:
        """Return the identity headers of its requests."""
        if self.is_admin:
            return {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"}
        return {"X-User-Id": self.user_id, "X-Project-Id": self.project_id, "X-Roles": "member,reader"}

    def to_cookie(self) -> str:
        """Return the value of its cookie."""
        if self.is_admin:
            return _ADMIN_COOKIE
        return f"{encode_base64(self.project_id.encode())}.{encode_base64(self.user_id.encode())}"

    @classmethod
    def from_cookie(cls, text: str) -> "Persona | None":
        """Return the persona of a cookie's value; None if it is not one that :meth:`to_cookie` returns."""
        if text == _ADMIN_COOKIE:
            return cls()
        project_id, _, user_id = text.partition(".")
        try:
            persona = cls(decode_base64(project_id).decode(), decode_base64(user_id).decode())
        except ValueError:
            return None
        return persona if persona.to_cookie() == text else None


def make_csrf_field(request: webob.Request, secret: bytes) -> str:
    """Return the value of the field by which a form shows that it is on a page for this browser.

    It differs each time, so that a compressed page does not reveal it.

    :param secret: the database's secret
    """
    nonce = secrets.token_bytes(CSRF_NONCE_BYTES)
    return encode_base64(nonce + _sign(secret, nonce, _find_csrf_cookie(request)))


def _find_csrf_cookie(request: webob.Request) -> str:
    """Return the value of the CSRF cookie that the browser has, or will get with the response."""
    made: str = _read_csrf_cookie(request) or request.environ.setdefault(
        NEW_CSRF, encode_base64(secrets.token_bytes(CSRF_COOKIE_BYTES))
    )
    return made


def _read_csrf_cookie(request: webob.Request) -> str:
    """Return the value of the CSRF cookie; empty if it is missing or invalid."""
    cookie = read_cookie(request, CSRF)
    data = _decode_or_nothing(cookie)
    return cookie if len(data) == CSRF_COOKIE_BYTES else ""


def set_csrf_cookie(response: webob.Response, request: webob.Request) -> None:
    """Set the cookie that belongs to the forms of a page, if the browser does not have it yet."""
    if cookie := request.environ.get(NEW_CSRF):
        set_cookie(response, request, CSRF, cookie, None)


def read_form(request: webob.Request, secret: bytes) -> dict[str, str]:
    """Return the fields of a form that was sent from a page of this explorer.

    :param secret: the database's secret
    :raises ForeignForm: if it comes from elsewhere, or its page is too old
    :raises ClientSideError: if it is not a form, or too large
    """
    _check_origin(request)
    if request.content_type != "application/x-www-form-urlencoded":
        raise ClientSideError("It is sent as a form (application/x-www-form-urlencoded).", status_code=415)
    body = read_body(request, MAX_FORM_BYTES)
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise ClientSideError("The form cannot be read.") from error
    form = {name: values[-1] for name, values in fields.items()}
    signed = _decode_or_nothing(form.pop(CSRF_FIELD, ""))
    nonce, signature = signed[:CSRF_NONCE_BYTES], signed[CSRF_NONCE_BYTES:]
    cookie = _read_csrf_cookie(request)
    if not cookie or not hmac.compare_digest(_sign(secret, nonce, cookie), signature):
        raise ForeignForm("The form's page is too old, or this browser refuses cookies.")
    return form


def _check_origin(request: webob.Request) -> None:
    """Raise ForeignForm unless the browser says that the request comes from a page of this host."""
    origin = request.headers.get("Origin") or request.headers.get("Referer")
    if not origin:
        raise ForeignForm("The request does not say from which page it comes (Origin).")
    try:
        parts = urlsplit(origin)
        given = parts.hostname, parts.port or _default_port(parts.scheme)
        own = urlsplit(f"//{request.host}")
        # Behind a proxy whose headers are not read, this server does not know that the client uses TLS.
        schemes = {"https"} if _has_tls(request) else {"http", "https"}
        is_own = parts.scheme in schemes and given == (own.hostname, own.port or _default_port(parts.scheme))
    except ValueError:
        is_own = False
    if not is_own:
        raise ForeignForm(
            f"The request comes from a page of {origin[:100]}, which is not the address of this server, "
            f"{request.host_url[:100]}. A proxy must pass on the Host header, or [oslo_middleware] "
            "enable_proxy_headers_parsing must be true."
        )


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _sign(secret: bytes, nonce: bytes, cookie: str) -> bytes:
    key = hmac.digest(secret, json.dumps(["explorer", CSRF]).encode(), hashlib.sha256)
    return hmac.digest(key, nonce + cookie.encode(), hashlib.sha256)


def _decode_or_nothing(text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError:
        return b""
