# SPDX-License-Identifier: Apache-2.0
"""The WSME types of events and traits in the API; import them from ``panko.api.controllers.v2.events``."""

import datetime
from collections.abc import Iterable

import wsme
import wsme.types

from panko.api.controllers.v2 import base

# In XML, the attributes of a type have the order of this file.


class TraitDescription(base.Base):
    """Name and type of a trait."""

    type = wsme.wsattr(str, default="string")
    "Type of the trait: string, integer, float or datetime"

    name = wsme.wsattr(str, mandatory=True)
    "Name of the trait"

    @classmethod
    def sample(cls) -> "TraitDescription":
        """Return an example for the documentation."""
        return cls(name="disk_gb", type="integer")


class Trait(base.Base):
    """A named value of an event."""

    name = wsme.wsattr(str, mandatory=True)
    "Name of the trait"

    value = wsme.wsattr(str, mandatory=True)
    "The value as text, whatever its type"

    type = wsme.wsattr(str, default="string")
    "Type of the value: string, integer, float or datetime"

    @classmethod
    def sample(cls) -> "Trait":
        """Return an example for the documentation."""
        return cls(name="disk_gb", type="integer", value="20")


class Event(base.Base):
    """Something that happened in the cloud."""

    _traits: tuple[Trait, ...] = ()

    def get_traits(self) -> list[Trait]:
        """Return the event's traits."""
        return list(self._traits)

    def set_traits(self, traits: Iterable[Trait]) -> None:
        """Set the event's traits, in this order."""
        self._traits = tuple(traits)

    message_id = wsme.wsattr(str, mandatory=True)
    "Id of the event"

    event_type = wsme.wsattr(str, mandatory=True)
    "Type of the event"

    traits = wsme.wsproperty(wsme.types.ArrayType(Trait), get_traits, set_traits)
    "Traits of the event"

    generated = wsme.wsattr(datetime.datetime)
    "When the event happened, in UTC"

    raw = wsme.wsattr(base.JsonType())
    "The original notification; empty if it was not stored"

    @classmethod
    def sample(cls) -> "Event":
        """Return an example for the documentation."""
        return cls(
            message_id="94834db1-8f1b-404d-b2ec-c35901f1b7f0",
            event_type="compute.instance.update",
            traits=[Trait(name="project_id", type="string", value="bd9431c18d694ad3803a8d4a6b89fd36")],
            generated=datetime.datetime(2015, 1, 1, 12, 0, 0, 0),
            raw={},
        )


class EventQuery(base.Query):
    """A filter.

    ``field`` is the name of a trait, or one of: ``event_type`` and ``message_id`` (given several times, any of them
    matches), ``start_timestamp`` with ``ge`` and ``end_timestamp`` with ``le`` for the time of the event, and
    ``all_tenants``, which requests the events of all projects.
    """

    @classmethod
    def sample(cls) -> "EventQuery":
        """Return an example for the documentation."""
        return cls(field="event_type", op="eq", type="string", value="compute.instance.create.start")
