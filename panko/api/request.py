# SPDX-License-Identifier: Apache-2.0
"""A method's arguments, from the path, the query and the body of a request, as WSME reads them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import webob
import wsme.rest.args
import wsme.rest.json
import wsme.rest.xml
import wsme.types
from wsme.api import FunctionDefinition
from wsme.exc import ClientSideError, InvalidInput, UnknownArgument

from panko.api.bodies import read_body, refuse_dtd

MAX_BODY_BYTES = 1024 * 1024
"""Bytes that the body of a request for events may have."""


def read_arguments(definition: FunctionDefinition, names: Sequence[str], request: webob.Request) -> dict[str, Any]:
    """Return the arguments of a method, each of its type.

    :param definition: what WSME knows of the method
    :param names: the first arguments, which stand in the path
    :raises ClientSideError: where the request says something that is no argument, or not of its type
    """
    query, body, content_type = request.GET, read_body(request, MAX_BODY_BYTES), request.content_type.lower()
    if content_type in wsme.rest.xml.accept_content_types:
        refuse_dtd(body)
    _check_arrays(definition, query)
    given = _positional(definition, names, query)
    try:
        arguments = wsme.rest.args.get_args(definition, given, {}, query, None, body, content_type)[1]
    except ClientSideError:
        raise
    except Exception as error:
        # WSME converts what the client sent, and nothing else: what it does not catch itself is the client's as well.
        members = _read_members(body) if content_type in wsme.rest.json.accept_content_types else {}
        raise _explain(error, definition, {**query, **members}) from error
    for argument, name in zip(definition.arguments, names, strict=False):
        if arguments[argument.name] != name:
            raise ClientSideError(f"Parameter {argument.name} was given several times")
    return {name: _checked(definition.get_arg(name), value) for name, value in arguments.items()}


def _positional(definition: FunctionDefinition, names: Sequence[str], query: Mapping[str, str]) -> list[Any]:
    """Return the arguments as Pecan gives them to WSME, whose errors for these are the ones that clients know."""
    given = query.mixed()
    return [*names, *(given.get(argument.name) for argument in definition.arguments[len(names) :])]


def _read_members(body: bytes) -> dict[str, Any]:
    """Return the members of a JSON object, which WSME found to be one if it could be read."""
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ClientSideError("Request is not in valid JSON format") from error


def _explain(error: Exception, definition: FunctionDefinition, given: Mapping[str, Any]) -> ClientSideError:
    """Return an error that names the argument which WSME failed on, where it can be told."""
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
