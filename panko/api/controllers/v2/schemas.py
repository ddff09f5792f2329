# SPDX-License-Identifier: Apache-2.0
"""The WSME types of events and traits, as clients see them; import them from ``panko.api.controllers.v2.events``."""

import datetime

import wsme
import wsme.types

from panko.api.controllers.v2 import base

# XML has the attributes of a type in the order in which they stand here.


class TraitDescription(base.Base):
    """Name and type of a trait."""

    type = wsme.wsattr(str, default="string")
    "One of string, integer, float and datetime"

    name = wsme.wsattr(str, mandatory=True)
    "What the trait is called"

    @classmethod
    def sample(cls):
        """Return an example for the documentation."""
        return cls(name="disk_gb", type="integer")


class Trait(base.Base):
    """A named value of an event."""

    name = wsme.wsattr(str, mandatory=True)
    "What the trait is called"

    value = wsme.wsattr(str, mandatory=True)
    "Its value, as text whatever the type"

    type = wsme.wsattr(str, default="string")
    "What the text stands for: string, integer, float or datetime"

    @classmethod
    def sample(cls):
        """Return an example for the documentation."""
        return cls(name="disk_gb", type="integer", value="20")


class Event(base.Base):
    """Something that happened in the cloud."""

    _traits = ()

    def get_traits(self):
        """Return the list of the event's traits."""
        return list(self._traits)

    def set_traits(self, traits):
        """Set the event's traits, in their order."""
        self._traits = tuple(traits)

    message_id = wsme.wsattr(str, mandatory=True)
    "Identifies the event"

    event_type = wsme.wsattr(str, mandatory=True)
    "What kind of event it is"

    traits = wsme.wsproperty(wsme.types.ArrayType(Trait), get_traits, set_traits)
    "What else is known of the event"

    generated = wsme.wsattr(datetime.datetime)
    "When it happened, in UTC"

    raw = wsme.wsattr(base.JsonType())
    "The notification that the event was made of; empty where it was not kept"

    @classmethod
    def sample(cls):
        """Return an example for the documentation."""
        return cls(
            message_id="94834db1-8f1b-404d-b2ec-c35901f1b7f0",
            event_type="compute.instance.update",
            traits=[Trait(name="project_id", type="string", value="bd9431c18d694ad3803a8d4a6b89fd36")],
            generated=datetime.datetime(2015, 1, 1, 12, 0, 0, 0),
            raw={},
        )


class EventQuery(base.Query):
    """A condition that the events of an answer meet.

    ``field`` is a trait's name, or one of: ``event_type`` and ``message_id`` (several of one: any of them will do),
    ``start_timestamp`` with ``ge`` and ``end_timestamp`` with ``le`` for the time of the event, and ``all_tenants``,
    which asks for the events of all projects.
    """

    @classmethod
    def sample(cls):
        """Return an example for the documentation."""
        return cls(field="event_type", op="eq", type="string", value="compute.instance.create.start")
