# SPDX-License-Identifier: Apache-2.0
"""Events of any names and values, for tests of how they are stored and read."""

import datetime

from hypothesis import settings
from hypothesis import strategies as st

from panko.storage.models import Event, Trait, TraitType, format_time, to_microseconds
from panko.storage.serialization import serialize_event
from panko.storage.shapes import FoundEvent, Shape, join_values, names_of, split_row
from panko.storage.validation import CheckedEvent, checked_event

NOON = datetime.datetime(2024, 1, 15, 12)
AWKWARD = ["\n", "\r", "\r\n", '"', "\\", "\\n", "%", "%s", "%%", "%(a)s", "{}", "\t", "\x01", "\x1f", "\x7f", "\x85"]
AWKWARD += ["\u2028", "\u2029", "\ufeff", "\U0001f600", "e\u0301", '","type":"integer"}', "[]", "null", " ", "a\nb"]

texts = st.sampled_from(AWKWARD) | st.text(
    st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=9
)
names = texts.filter(len) | st.sampled_from(["a", "b", "project_id", "user_id"])
times = st.datetimes().map(lambda time: time.replace(fold=0))
floats = st.floats(allow_nan=False, allow_infinity=False)
values = {
    TraitType.TEXT: texts,
    TraitType.INTEGER: st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    TraitType.FLOAT: floats | st.sampled_from([-0.0, 0.0, 5e-324, 1e16, 0.1 + 0.2]),
    TraitType.DATETIME: times | st.sampled_from([NOON, NOON.replace(microsecond=1), datetime.datetime.min]),
}
traits = st.sampled_from(TraitType).flatmap(lambda type_: st.builds(Trait, names, st.just(type_), values[type_]))
events = st.builds(lambda *parts: checked_event(Event(*parts)), names, names, times, st.lists(traits, max_size=6))
quick = settings(database=None, deadline=None)


def stored(event: CheckedEvent) -> tuple[str, str]:
    """Return what is stored of an event: the document of its shape, and its values."""
    shape = Shape(event.event_type, names_of(event))
    return shape.document, join_values(shape.format_values(event.traits))


def read(event: CheckedEvent) -> tuple[Shape, list[str]]:
    """Return an event's shape and values as they are read from what is stored."""
    document, joined = stored(event)
    return split_row(Shape.read(event.event_type, document, 1), joined)


def found_event(event: CheckedEvent) -> FoundEvent:
    """Return an event as drivers read it."""
    shape, read_values = read(event)
    return FoundEvent(shape, event.message_id, to_microseconds(event.generated), read_values, ())


def open_event(event: CheckedEvent) -> FoundEvent:
    """Return an event that has the open shape."""
    shape, read_values = split_row(Shape.read(event.event_type, None, 2), "\n".join(stored(event)))
    return found_event(event)._replace(shape=shape, values=read_values)


def assert_is(event: CheckedEvent, shape: Shape, values: list[str]) -> None:
    """Make sure that an event is read as it was given, value by value, and rendered as the API returns it."""
    assert repr(shape.parse(values)) == repr(event.traits)
    rendered = shape.render(event.message_id, values, format_time(event.generated), event.raw_document)
    assert rendered == serialize_event(event)
