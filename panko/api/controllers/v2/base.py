# SPDX-License-Identifier: Apache-2.0
"""The bases of the WSME types of version 2."""

import json
from typing import Any

import wsme
import wsme.rest.json
import wsme.types

DEFAULT_OPERATOR = "eq"


class Base(wsme.types.DynamicBase):
    """The base of all types; attributes can be added to them later."""


class JsonType(wsme.types.UserType):
    """Any JSON. In XML, it is a string that holds the JSON."""

    basetype = str
    name = "json"

    def tobasetype(self, value: Any) -> str:
        """Return a value as a string of JSON."""
        return json.dumps(value, separators=(",", ":"))


class FilterTexts(wsme.types.UserType):
    """Texts in the filter language: an argument that may be repeated; in a JSON body, one text or a list of them."""

    basetype = wsme.types.ArrayType(str)
    name = "filter"


FILTER_TEXTS = FilterTexts()


@wsme.rest.json.fromjson.when_object(FILTER_TEXTS)
def read_filter_texts(datatype: FilterTexts, value: Any) -> list[str] | None:
    """Return the texts in a member of a JSON body.

    :raises ValueError: if it is neither a text nor a list of texts
    """
    texts = [value] if isinstance(value, str) else value
    if texts is not None and not (isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
        raise ValueError("It is a text in the filter language, or a list of such texts.")
    return texts


class Query(Base):
    """A condition that events must meet."""

    _op: str | None = None

    def get_op(self) -> str:
        """Return the operator."""
        return self._op or DEFAULT_OPERATOR

    def set_op(self, value: Any) -> None:
        """Set the operator; an empty one is the default."""
        try:
            self._op = wsme.types.validate_value(str, value) or None
        except ValueError as error:
            raise wsme.exc.InvalidInput("op", value, str(error)) from error

    field = wsme.wsattr(str, mandatory=True)
    "Name of the field to compare"

    op = wsme.wsproperty(str, get_op, set_op)
    "Operator to compare with"

    type = wsme.wsattr(str, default="")
    "Type of the value"

    value = wsme.wsattr(str, mandatory=True)
    "Value to compare with"
