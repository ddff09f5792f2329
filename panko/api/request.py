# SPDX-License-Identifier: Apache-2.0
"""The arguments of a request, in its path, query and body, read as WSME types; and bodies of limited size."""

import contextlib
import json
import xml.parsers.expat as expat
from collections.abc import Mapping, Sequence
from typing import Any

import webob
import webob.multidict
import wsme.rest.args
import wsme.rest.json
import wsme.rest.xml
import wsme.types
from wsme.api import FunctionDefinition
from wsme.exc import ClientSideError, InvalidInput, UnknownArgument

from panko.api.cursors import AFTER
from panko.api.filters import FILTER
from panko.api.response import JSON
from panko.storage.errors import excerpt

MAX_BODY_BYTES = 1024 * 1024
"""Size of the body of a request that reads."""


def read_arguments(definition: FunctionDefinition, names: Sequence[str], request: webob.Request) -> dict[str, Any]:
    """Return the arguments of a method, converted to their types.

    :param definition: WSME's description of the method
    :param names: the first arguments, which are in the path
    :raises ClientSideError: if an argument is unknown, given twice, or not of its type
    """
    query, body, content_type = request.GET, read_body(request, MAX_BODY_BYTES), request.content_type.lower()
    if content_type in wsme.rest.xml.accept_content_types:
        refuse_dtd(body)
    _check_arrays(definition, query)
    if AFTER in query and FILTER in query and content_type in wsme.rest.json.accept_content_types:
        body = _drop_filter(body)
    # Passed by position too, as Pecan does: clients know WSME's error texts for these.
    single = query.mixed()
    positional = [*names, *(single.get(argument.name) for argument in definition.arguments[len(names) :])]
    try:
        arguments = wsme.rest.args.get_args(definition, positional, {}, query, None, body, content_type)[1]
    except ClientSideError:
        raise
    except Exception as error:
        # WSME converts only what the client sent, so what it does not handle itself is the client's error as well.
        members = _read_members(body) if content_type in wsme.rest.json.accept_content_types else {}
        raise _explain(error, definition, {**query, **members}) from error
    for argument, name in zip(definition.arguments, names, strict=False):
        if arguments[argument.name] != name:
            raise ClientSideError(f"Parameter {argument.name} was given several times")
    for name, value in arguments.items():
        try:
            arguments[name] = wsme.types.validate_value(definition.get_arg(name).datatype, value)
        except (ValueError, TypeError) as error:
            raise InvalidInput(name, value, str(error)) from error
    return arguments


def _check_arrays(definition: FunctionDefinition, query: webob.multidict.MultiDict) -> None:
    """Raise ClientSideError if a member of the items of an array is given more often than their first member."""
    for argument in definition.arguments:
        item_type = getattr(argument.datatype, "item_type", None)
        if not wsme.types.iscomplex(item_type):
            continue
        first, *others = [f"{argument.name}.{member.name}" for member in wsme.types.list_attributes(item_type)]
        length = len(query.getall(first))
        for other in others:
            if len(query.getall(other)) > length:
                raise ClientSideError(f"There are more {other} than {first}")


def _drop_filter(body: bytes) -> bytes:
    """Return a JSON body without its filter: the link to a page has the same one, with absolute times."""
    members = _read_members(body)
    if not isinstance(members, dict) or FILTER not in members:
        return body
    return json.dumps({name: value for name, value in members.items() if name != FILTER}).encode()


def _read_members(body: bytes) -> dict[str, Any]:
    """Return the members of a JSON object."""
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ClientSideError("Request is not in valid JSON format") from error


def _explain(error: Exception, definition: FunctionDefinition, given: Mapping[str, Any]) -> ClientSideError:
    """Return an error that names the argument on which WSME failed, if it can be found."""
    if isinstance(error, KeyError):
        return UnknownArgument(error.args[0])
    for argument in definition.arguments:
        try:
            wsme.rest.json.fromjson(argument.datatype, given.get(argument.name))
        except ClientSideError:
            continue
        except AttributeError:
            return InvalidInput(argument.name, given[argument.name], "Its members are to be objects.")
        except Exception as reason:
            return InvalidInput(argument.name, given[argument.name], str(reason))
    return ClientSideError(f"The arguments of the request cannot be read: {error}")


def refuse_arguments(request: webob.Request) -> None:
    """Raise UnknownArgument if the query string has arguments."""
    if request.GET:
        raise UnknownArgument(next(iter(request.GET)))


def read_body(request: webob.Request, max_bytes: int) -> bytes:
    """Return the body of a request.

    :raises ClientSideError: if it is too large or truncated
    """
    try:
        body = request.body_file.read(max_bytes + 1)
    except OSError as error:
        raise ClientSideError("The body of the request ended early") from error
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body


class _RootReached(Exception):
    """The root element begins: no declaration can follow."""


def refuse_dtd(body: bytes) -> None:
    """Raise ClientSideError if a body is XML with a document type declaration, whose entities could expand endlessly.

    Invalid XML is left to the parser that reads it whole.
    """

    def refuse(*_: Any) -> None:
        raise ClientSideError("XML with a document type declaration (DTD) is not accepted")

    def stop(*_: Any) -> None:
        raise _RootReached

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = stop
    with contextlib.suppress(expat.ExpatError, _RootReached):
        parser.Parse(body, True)


def require_json(request: webob.Request, max_bytes: int, content: str) -> None:
    """Check by a request's headers that its body is uncompressed JSON of limited size.

    A request without a content type is refused: a page of another site can make a browser send one, with the password
    that the browser knows.

    :param content: what the body holds, for the error text
    :raises ClientSideError: if the headers say otherwise
    """
    content_type = request.content_type.lower()
    if content_type != JSON:
        given = excerpt(content_type or "none")
        raise ClientSideError(f"Unknown mimetype: {given}. {content} are sent as {JSON}", status_code=415)
    coding = request.headers.get("Content-Encoding", "identity").lower()
    if coding != "identity":
        given = excerpt(coding)
        raise ClientSideError(f"Unknown content encoding: {given}. {content} are sent uncompressed", status_code=415)
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> ClientSideError:
    return ClientSideError(f"The body of the request is larger than {max_bytes} bytes", status_code=413)
