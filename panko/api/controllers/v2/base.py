# SPDX-License-Identifier: Apache-2.0
"""What the WSME types of version 2 share."""

import json

import wsme
import wsme.types

DEFAULT_OPERATOR = "eq"


class Base(wsme.types.DynamicBase):
    """The base of all types; attributes can be added to them later."""


class JsonType(wsme.types.UserType):
    """Any JSON. Where the form of an answer has no objects of its own, as XML, it is the text of it."""

    basetype = str
    name = "json"

    def tobasetype(self, value):
        """Return the text of a value."""
        return json.dumps(value, separators=(",", ":"))


class Query(Base):
    """A condition that events are to meet."""

    _op = None

    def get_op(self):
        """Return the comparison, which is for equality where none was given."""
        return self._op or DEFAULT_OPERATOR

    def set_op(self, value):
        """Set the comparison; none or an empty one is the default."""
        try:
            self._op = wsme.types.validate_value(str, value) or None
        except ValueError as error:
            raise wsme.exc.InvalidInput("op", value, str(error)) from error

    field = wsme.wsattr(str, mandatory=True)
    "What is compared"

    op = wsme.wsproperty(str, get_op, set_op)
    "How it is compared"

    type = wsme.wsattr(str, default="")
    "The type of the value"

    value = wsme.wsattr(str, mandatory=True)
    "What it is compared with"
