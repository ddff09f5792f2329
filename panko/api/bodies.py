# SPDX-License-Identifier: Apache-2.0
"""The bodies of requests, of bounded size."""

import contextlib
import xml.parsers.expat as expat

import webob
from wsme.exc import ClientSideError

from panko.api.negotiation import JSON
from panko.storage.errors import excerpt


def read_body(request: webob.Request, largest: int) -> bytes:
    """Return the body of a request.

    :param largest: bytes that it may have
    :raises ClientSideError: where it is larger, or ends before its end
    """
    try:
        body = request.body_file.read(largest + 1)
    except OSError as error:
        raise ClientSideError("The body of the request ended early") from error
    if len(body) > largest:
        raise _too_large(largest)
    return body


class _RootReached(Exception):
    """The root element begins: no declaration can follow."""


def refuse_dtd(body: bytes) -> None:
    """Raise ClientSideError if a body is XML with a document type declaration, whose entities could grow without bound.

    XML that cannot be read is left to the parser that reads it whole.
    """

    def declared(*_):
        raise ClientSideError("XML with a document type declaration (DTD) is not accepted")

    def reached(*_):
        raise _RootReached

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = declared
    parser.StartElementHandler = reached
    with contextlib.suppress(expat.ExpatError, _RootReached):
        parser.Parse(body, True)


def check_json(request: webob.Request, largest: int, what: str) -> None:
    """Return where the head of a request says that its body is JSON, and not larger than it may be.

    A request without a content type is refused as well: a page of another site can have a browser send one, with the
    password that the browser knows.

    :param what: what is sent, as an error calls it
    :raises ClientSideError: where it says something else
    """
    content_type = request.content_type.lower()
    if content_type != JSON:
        given = excerpt(content_type or "none")
        raise ClientSideError(f"Unknown mimetype: {given}. {what} are sent as {JSON}", status_code=415)
    coding = request.headers.get("Content-Encoding", "identity").lower()
    if coding != "identity":
        given = excerpt(coding)
        raise ClientSideError(f"Unknown content encoding: {given}. {what} are sent uncompressed", status_code=415)
    if (request.content_length or 0) > largest:
        raise _too_large(largest)


def _too_large(largest: int) -> ClientSideError:
    return ClientSideError(f"The body of the request is larger than {largest} bytes", status_code=413)
