# SPDX-License-Identifier: Apache-2.0
"""A method's arguments, from the path, the query and the body of a request, as WSME reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

import webob
import wsme.rest.args
import wsme.types
from wsme.api import FunctionDefinition
from wsme.exc import ClientSideError, InvalidInput

LARGEST_BODY = 1024 * 1024
"""Bytes that the body of a request may have."""


def read_arguments(definition: FunctionDefinition, names: Sequence[str], request: webob.Request) -> dict[str, Any]:
    """Return the arguments of a method, each of its type.

    :param definition: what WSME knows of the method
    :param names: the first arguments, which stand in the path
    :raises ClientSideError: where the request says something that is no argument, or not of its type
    """
    query = request.GET
    _check_arrays(definition, query)
    try:
        arguments = wsme.rest.args.get_args(
            definition, _positional(definition, names, query), {}, query, None, _read_body(request), _body_type(request)
        )[1]
    except ClientSideError:
        raise
    except Exception as error:
        # WSME converts what the client sent, and nothing else: what it does not catch itself is the client's as well.
        raise ClientSideError(f"The arguments of the request cannot be read: {error}") from error
    for definition_of, name in zip(definition.arguments, names, strict=False):
        if arguments[definition_of.name] != name:
            raise ClientSideError(f"Parameter {definition_of.name} was given several times")
    return {name: _checked(definition.get_arg(name), value) for name, value in arguments.items()}


def _positional(definition: FunctionDefinition, names: Sequence[str], query: Mapping[str, str]) -> list[Any]:
    """Return the arguments as Pecan gives them to WSME, whose errors for these are the ones that clients know."""
    given = query.mixed()
    return [*names, *(given.get(argument.name) for argument in definition.arguments[len(names) :])]


def _read_body(request: webob.Request) -> bytes:
    try:
        body = request.body_file.read(LARGEST_BODY + 1)
    except OSError as error:
        raise ClientSideError("The body of the request ended early") from error
    if len(body) > LARGEST_BODY:
        raise ClientSideError(f"The body of the request is larger than {LARGEST_BODY} bytes", status_code=413)
    return body


def _body_type(request: webob.Request) -> str:
    return request.content_type.lower()


def _check_arrays(definition: FunctionDefinition, query: Mapping[str, str]) -> None:
    """Return where each array of an argument's members is as long as that of its first one, or shorter."""
    for argument in definition.arguments:
        item_type = getattr(argument.datatype, "item_type", None)
        if not wsme.types.iscomplex(item_type):
            continue
        first, *others = (f"{argument.name}.{member.name}" for member in wsme.types.list_attributes(item_type))
        length = len(query.getall(first))
        for other in others:
            if len(query.getall(other)) > length:
                raise ClientSideError(f"There are more {other} than {first}")


def _checked(argument: wsme.api.FunctionArgument, value: Any) -> Any:
    try:
        return wsme.types.validate_value(argument.datatype, value)
    except (ValueError, TypeError) as error:
        raise InvalidInput(argument.name, value, str(error)) from error
