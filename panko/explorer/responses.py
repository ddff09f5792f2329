# SPDX-License-Identifier: Apache-2.0
"""Redirects and errors, as a page for people or as a short text for what a page fetches."""

import http
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

import webob

from panko.api.errors import Fault
from panko.api.response import (
    JSON,
    KEEP_ERROR,
    MIN_GZIP_BYTES,
    accepts_gzip,
    choose_content_type,
    close_iterable,
    respond_with_fault,
)
from panko.explorer.rendering import EXPLORER_PATH, HTML, render_alone

SIGN_IN = f"{EXPLORER_PATH}/sign-in"
PROJECT = f"{EXPLORER_PATH}/project"
"""Paths of pages that other parts of the explorer lead to."""

MAX_NEXT_CHARACTERS = 4000
"""Length of the URL to return to after the sign-in."""

COMPRESSED_TYPES = (HTML, "text/css", "text/javascript", "image/svg+xml")
"""The content types of pages and static files."""

_TITLES = {400: "Not possible", 403: "Not allowed", 404: "Not found", 503: "Not available now"}


def wants_page(request: webob.Request) -> bool:
    """Return whether a person follows a link or sends a form, rather than a script or a program fetching something."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode:
        return bool(mode == "navigate")
    accept = request.headers.get("Accept")
    return not accept or HTML in accept.lower()


def redirect(path: str) -> webob.Response:
    """Return the response that leads a browser to another page, with GET.

    :param path: path and query of the page
    """
    return webob.Response(status=http.HTTPStatus.SEE_OTHER.value, location=path)


def redirect_with_next(path: str, request: webob.Request) -> webob.Response:
    """Return the response that leads to a page which later leads back to the URL of this request."""
    here = find_next(request.path_qs) if request.method == http.HTTPMethod.GET else EXPLORER_PATH
    return redirect(path if here == EXPLORER_PATH else f"{path}?next={quote(here, safe='/')}")


def find_next(url: str | None) -> str:
    """Return a URL to return to if it is a path below the explorer's, else the path of the explorer."""
    text = url or ""
    # Browsers ignore some control characters, and take backslashes for slashes.
    if len(text) > MAX_NEXT_CHARACTERS or "\\" in text or not text.isprintable() or not text.startswith("/"):
        return EXPLORER_PATH
    try:
        path = unquote(urlsplit(text).path)
    except ValueError:
        return EXPLORER_PATH
    is_below = path == EXPLORER_PATH or path.startswith(f"{EXPLORER_PATH}/")
    if not is_below or text.startswith("//") or "//" in path or "\\" in path or {".", ".."} & set(path.split("/")):
        return EXPLORER_PATH
    return quote(text, safe="/?#%&=+:;,@!$'()*[]~-._")


def respond_with_text(
    request: webob.Request, status: int, text: str, headers: Mapping[str, str] | None = None, page: str | None = None
) -> webob.Response:
    """Return the response that reports an error.

    :param headers: more headers of the response
    :param page: the error as a page, if one has been made
    """
    request.environ[KEEP_ERROR] = True
    if wants_page(request):
        return _make_page(status, page or render_alone("error.html", **describe_error(status, text)), headers)
    if choose_content_type(request.headers.get("Accept"), ("text/plain", JSON)) == JSON:
        return respond_with_fault(Fault.create(status, text, headers), request)
    response = webob.Response(f"{text}\n", status, content_type="text/plain", charset="utf-8")
    response.headers.update(headers or {})
    return response


def _make_page(status: int, page: str, headers: Mapping[str, str] | None) -> webob.Response:
    response = webob.Response(page, status, content_type=HTML, charset="utf-8")
    response.headers.update(headers or {})
    return response


def describe_error(status: int, text: str) -> dict[str, object]:
    """Return the values of the template of errors."""
    if status == http.HTTPStatus.NOT_FOUND and text == http.HTTPStatus.NOT_FOUND.phrase:
        text = "There is no such page."
    title = _TITLES.get(status) or http.HTTPStatus(status).phrase
    return {"title": title, "status": status, "text": text}


def compress(response: webob.Response, request: webob.Request) -> None:
    """Compress a page or a static file if it is long and the browser can read that.

    The length of a compressed page tells something about its contents. So forms never have the same secret twice (see
    :func:`~panko.explorer.sessions.make_csrf_field`), and pages of other sites cannot fetch one with the cookie.
    """
    if response.content_type not in COMPRESSED_TYPES or response.status_code != http.HTTPStatus.OK:
        return
    response.vary = (*(response.vary or ()), "Accept-Encoding")
    if (response.content_length or 0) > MIN_GZIP_BYTES and accepts_gzip(request.headers.get("Accept-Encoding")):
        chunks = response.app_iter
        response.encode_content("gzip")
        close_iterable(chunks)
