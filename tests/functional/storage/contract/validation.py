# SPDX-License-Identifier: Apache-2.0
"""``record_events`` validates its events, in every driver, even one that stores nothing."""

import copy
import datetime
import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest

from panko.storage.base import Recorded
from panko.storage.errors import EventsRefused
from panko.storage.models import Event, Trait
from tests.functional.storage.builders import NOON, event, trait


@dataclass
class ForeignTrait:
    """A trait object of another library, as Ceilometer passes it."""

    name: str
    dtype: int
    value: Any


@dataclass
class ForeignEvent:
    """An event object of another library, as Ceilometer passes it."""

    message_id: str
    event_type: str
    generated: datetime.datetime
    traits: list[ForeignTrait] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)


def with_trait(dtype: Any, value: Any, name: Any = "size") -> Event:
    """Return an event that is valid except for its trait."""
    return event("bad", Trait(name, dtype, value))


RECURSIVE: list[Any] = []
RECURSIVE.append(RECURSIVE)
EASTERN = datetime.timezone(datetime.timedelta(hours=14))
INVALID_EVENTS = {
    "no message_id": event(None),
    "empty message_id": event(""),
    "message_id is a number": event(5),
    "message_id too long": event("m" * 256),
    "NUL in message_id": event("m\x00"),
    "lone surrogate in message_id": event("m\ud800"),
    "no event type": event("bad", type_=None),
    "event type too long": event("bad", type_="é" * 256),
    "NUL in event type": event("bad", type_="\x00"),
    "no time": event("bad", generated=None),
    "time is a number": event("bad", generated=1705320000),
    "time is no time": event("bad", generated="noon"),
    "time outside the years": event("bad", generated=datetime.datetime.min.replace(tzinfo=EASTERN)),
    "trait without name": with_trait(1, "x", name=None),
    "trait name too long": with_trait(1, "x", name="n" * 256),
    "NUL in trait name": with_trait(1, "x", name="a\x00b"),
    "lone surrogate in trait name": with_trait(1, "x", name="\udfff"),
    "trait without value": with_trait(1, None),
    "dtype 5": with_trait(5, "x"),
    "dtype -1": with_trait(-1, "x"),
    "dtype is a name": with_trait("string", "x"),
    "no dtype": with_trait(None, "x"),
    "dtype is a list": with_trait([1], "x"),
    "NUL in text": with_trait(1, "a\x00b"),
    "lone surrogate in text": with_trait(1, "a\udc00b"),
    "NUL in a value without type": with_trait(0, "\x00"),
    "integer is no number": with_trait(2, "many"),
    "integer with a fraction": with_trait(2, 1.5),
    "integer too large": with_trait(2, 2**63),
    "integer too small": with_trait(2, -(2**63) - 1),
    "integer is infinite": with_trait(2, float("inf")),
    "integer is a list": with_trait(2, [1]),
    "float is no number": with_trait(3, "much"),
    "float is NaN": with_trait(3, float("nan")),
    "float is infinite": with_trait(3, float("-inf")),
    "float is infinite as text": with_trait(3, "1e999"),
    "float too large": with_trait(3, 10**400),
    "datetime is no time": with_trait(4, "yesterday"),
    "datetime is a number": with_trait(4, 1705320000),
    "datetime is a date": with_trait(4, datetime.date(2024, 1, 15)),
    "datetime outside the years": with_trait(4, datetime.datetime.min.replace(tzinfo=EASTERN)),
    "traits are no list": Event("bad", "sample.created", NOON, 5),
    "traits are no traits": Event("bad", "sample.created", NOON, ["size"]),
    "NaN in raw": event("bad", raw={"a": [float("nan")]}),
    "infinity in raw": event("bad", raw=float("inf")),
    "time in raw": event("bad", raw={"at": NOON}),
    "bytes in raw": event("bad", raw=b"raw"),
    "key that is a list in raw": event("bad", raw={(1, 2): 3}),
    "raw holds itself": event("bad", raw=RECURSIVE),
    "None": None,
    "a mapping": {"message_id": "bad", "event_type": "sample.created"},
}


class Validation:
    """Behaviours of ``record_events`` that can be tested without reading events."""

    def test_events_are_counted(self, storage):
        assert storage.record_events([event("a"), event("b")]) == Recorded(stored=2, duplicates=0)

    def test_no_events_are_no_error(self, storage):
        assert storage.record_events([]) == Recorded(stored=0, duplicates=0)

    def test_duplicates_within_a_call_are_counted(self, storage):
        assert storage.record_events([event("a"), event("b"), event("a")]) == Recorded(stored=2, duplicates=1)

    def test_events_may_come_from_a_generator(self, storage):
        assert storage.record_events(event(f"m{number}") for number in range(3)).stored == 3

    def test_foreign_event_objects_are_accepted(self, storage):
        """Ceilometer passes objects of its own classes."""
        foreign = ForeignEvent("a", "sample.created", NOON, [ForeignTrait("size", 2, 5)], {"payload": {}})
        assert storage.record_events([foreign]).stored == 1

    def test_arguments_are_not_changed(self, storage):
        """Neither the list nor an event, its traits or its raw."""
        traits = [ForeignTrait("z", 2, "5"), ForeignTrait("a", 0, 5), ForeignTrait("a", 4, "2024-01-15T12:00:00+01:00")]
        given = [ForeignEvent("a", "sample.created", NOON, traits, {"payload": {"x": [1]}})] * 2
        before = copy.deepcopy(given)
        storage.record_events(given)
        assert given == before

    @pytest.mark.parametrize("bad", INVALID_EVENTS.values(), ids=INVALID_EVENTS.keys())
    def test_only_the_invalid_event_is_refused(self, storage, bad):
        """The others of the call are stored, and the error has the event and a reason."""
        with pytest.raises(EventsRefused) as raised:
            storage.record_events([event("a"), bad, event("b"), event("a")])
        (refusal,) = raised.value.refusals
        assert refusal.event is bad
        assert refusal.reason
        assert (raised.value.stored, raised.value.duplicates) == (2, 1)

    def test_each_refusal_has_its_reason(self, storage):
        bad = [with_trait(2, "many"), event(""), with_trait(9, "x", name="colour")]
        with pytest.raises(EventsRefused) as raised:
            storage.record_events(bad)
        reasons = [refusal.reason for refusal in raised.value.refusals]
        assert [refusal.event for refusal in raised.value.refusals] == bad
        for part, reason in zip(["size", "message_id", "colour"], reasons, strict=True):
            assert part in reason
        assert raised.value.stored == 0

    def test_error_text_names_the_first_refused_event_and_counts_the_others(self, storage):
        with pytest.raises(EventsRefused, match=r"'x-1'.*dtype.*2 more"):
            storage.record_events(event(f"x-{number}", Trait("a", 7, 1)) for number in (1, 2, 3))

    def test_message_id_of_a_refused_event_may_be_used_again(self, storage):
        """A valid event with the same message_id in the same call is not a duplicate."""
        with pytest.raises(EventsRefused) as raised:
            storage.record_events([event("a", trait("x", "\x00")), event("a")])
        assert (raised.value.stored, raised.value.duplicates) == (1, 0)

    def test_names_of_255_characters_are_accepted(self, storage):
        for number, character in enumerate(["n", "é", "\U0001f600"]):
            name = f"{number}{character * 254}"
            assert storage.record_events([event(name, trait(name, "x"), type_=name)]).stored == 1

    @pytest.mark.parametrize(
        ("dtype", "value"),
        [
            *itertools.product([2], ["42", 42.0, True, "-9223372036854775808"]),
            *itertools.product([3], ["1e3", 5, "-0.0", True]),
            *itertools.product([4], ["2024-01-15T12:00:00Z", "2024-01-15", NOON.replace(tzinfo=EASTERN)]),
            *itertools.product([0, 1], [5, 1.5, True, NOON, ["a"], ""]),
        ],
    )
    def test_value_that_converts_without_loss_is_accepted(self, storage, dtype, value):
        assert storage.record_events([with_trait(dtype, value)]).stored == 1
