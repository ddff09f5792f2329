# SPDX-License-Identifier: Apache-2.0
"""Two events become one region if their types differ only in the suffix, and a trait is the same."""

import datetime

import pytest
from wsme.exc import ClientSideError

from panko.api.grafana.regions import Region, read_region
from panko.api.grafana.request import JsonObject
from tests.unit.api.grafana.test_frames import TIME, event

REGION = Region(".start", (".end", ".error"), "request_id")


def draw(text):
    """Return events for a text like ``a.start:1 a.end:1``, one a second; what follows the colon is the trait."""
    for number, (event_type, _, value) in enumerate(part.partition(":") for part in text.split()):
        traits = [("request_id", 1, value)] if value else []
        time = TIME + datetime.timedelta(seconds=number)
        yield event(*traits, message_id=str(number), event_type=event_type, time=time)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a.start:1 a.end:1", [("0", "1")]),
        ("a.start:1 a.error:1", [("0", "1")]),
        ("a.start:1 b.start:1 b.end:1 a.end:1", [("0", "3"), ("1", "2")]),
        ("a.start:1 a.start:2 a.end:1 a.end:2", [("0", "2"), ("1", "3")]),
        ("a.start:1 a.start:1 a.end:1 a.end:1", [("0", "3"), ("1", "2")]),
        ("a.start:1 a.end:1 a.end:1", [("0", "1"), ("2", None)]),
        ("a.end:1 a.start:1", [("0", None), ("1", None)]),
        ("a.start:1 a.end:2", [("0", None), ("1", None)]),
        ("a.start:1 b.end:1", [("0", None), ("1", None)]),
        ("a.start a.end", [("0", None), ("1", None)]),
        ("a.start:1 a.exists:1 a.end:1", [("0", "2"), ("1", None)]),
    ],
)
def test_a_region_ends_with_the_next_event_of_its_trait(text, pairs):
    events = list(draw(text))
    found = [(begin.message_id, end and end.message_id) for begin, end in REGION.pair(events)]
    assert found == pairs
    newest_first = [(begin.message_id, end and end.message_id) for begin, end in REGION.pair(events[::-1])]
    assert newest_first == pairs[::-1]


def test_a_trait_of_another_type_begins_nothing():
    events = [event(("request_id", 2, 1), event_type=f"a{suffix}") for suffix in (".start", ".end")]
    assert [end for _, end in REGION.pair(events)] == [None, None]


@pytest.mark.parametrize("nothing", [{}, {"region": ""}, {"region": []}, {"region_by": "x"}])
def test_without_suffixes_no_annotation_has_an_end(nothing):
    assert read_region(JsonObject(nothing)) is None


@pytest.mark.parametrize("value", [".start .end .error", ".start,.end, .error", [".start", ".end .error"]])
def test_the_payload_chooses_the_suffixes_and_the_trait(value):
    assert read_region(JsonObject({"region": value})) == REGION
    assert read_region(JsonObject({"region": value, "region_by": "instance_id"})).trait == "instance_id"


@pytest.mark.parametrize("value", [".start", ".start .start", ".start .end .end", " ".join(f".{n}" for n in range(12))])
def test_an_invalid_region_is_refused(value):
    with pytest.raises(ClientSideError, match=r"region: the end of the types that begin a region"):
        read_region(JsonObject({"region": value}))
