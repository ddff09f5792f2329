# SPDX-License-Identifier: Apache-2.0
"""Events in each form that Ceilometer's publishers send are decoded, or refused with the reason."""

import datetime
import json

import pytest

from panko.ingest.decoding import decode_event, parse_events
from panko.storage.errors import InvalidEvent
from panko.storage.models import Event, Trait
from panko.storage.validation import checked_event

EVENT = checked_event(
    Event(
        message_id="42",
        event_type="compute.instance.create.end",
        generated=datetime.datetime(2026, 1, 2, 3, 4, 5, 678901),
        traits=(
            Trait("launched_at", Trait.DATETIME_TYPE, datetime.datetime(2026, 1, 2, 3, 4)),
            Trait("load", Trait.FLOAT_TYPE, 0.5),
            Trait("service", Trait.TEXT_TYPE, "compute"),
            Trait("vcpus", Trait.INT_TYPE, 2),
        ),
        raw={"payload": [None, 1e300]},
    )
)


@pytest.fixture
def http_form() -> dict:
    return {
        "message_id": "42",
        "event_type": "compute.instance.create.end",
        "generated": "2026-01-02T03:04:05.678901",
        "traits": [
            ["service", 1, "compute"],
            ["vcpus", 2, 2],
            ["load", 3, 0.5],
            ["launched_at", 4, "2026-01-02T03:04:00"],
        ],
        "raw": {"payload": [None, 1e300]},
    }


def test_the_form_of_the_http_publisher_is_read(http_form):
    assert decode_event(http_form) == EVENT


def test_the_form_of_the_file_publisher_is_read(http_form):
    names = ("name", "dtype", "value")
    file_form = http_form | {
        "generated": "2026-01-02 03:04:05.678901",
        "traits": [dict(zip(names, trait, strict=True)) for trait in http_form["traits"]],
    }
    file_form["traits"][3]["value"] = "2026-01-02 03:04:00"
    assert decode_event(file_form) == EVENT


def test_the_form_of_the_api_is_read(http_form):
    """Its values are texts, and its types have names."""
    labels = {1: "string", 2: "integer", 3: "float", 4: "datetime"}
    traits = [{"name": n, "value": str(value), "type": labels[dtype]} for n, dtype, value in http_form["traits"]]
    assert decode_event(http_form | {"traits": traits}) == EVENT


@pytest.mark.parametrize(
    ("label", "text", "value"),
    [
        *(("string", "5", "5"), ("integer", "-9223372036854775808", -(2**63)), ("integer", 5, 5)),
        *(("float", "1e+300", 1e300), ("float", "5.0", 5.0), ("float", "-0.1", -0.1)),
        ("datetime", "2038-01-19T03:14:08.000001", datetime.datetime(2038, 1, 19, 3, 14, 8, 1)),
    ],
)
def test_a_text_of_the_api_becomes_a_value_of_its_type(http_form, label, text, value):
    event = decode_event(http_form | {"traits": [{"name": "n", "value": text, "type": label}]})
    assert event.traits[0].value == value
    assert event.traits[0].dtype.label == label


def test_unknown_members_are_ignored(http_form):
    assert decode_event(http_form | {"message_signature": "ab12"}) == EVENT


def test_an_event_without_traits_and_raw_is_read():
    bare = {"message_id": "1", "event_type": "t", "generated": "2026-01-02T03:04:05Z"}
    assert decode_event(bare) == checked_event(Event("1", "t", datetime.datetime(2026, 1, 2, 3, 4, 5)))


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-02T03:04:05", "2026-01-02 03:04:05", "2026-01-02T03:04:05.678901", "0001-01-01T00:00:00"),
        *("2026-01-02T03:04:05.6", "2026-01-02T03:04:05,678901", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+01:00"),
        *("2026-W01-1T03:04:05", "2026-02-30T03:04:05", "2026-01-02T24:00:00", "2026-01-02T03:04:60", "20260102"),
        *("٢٠٢٦-01-02T03:04:05", "2026-01-02T03:04:05\n", "2026-01-02x03:04:05", "9999-12-31T23:59:59.999999"),
    ],
)
def test_a_time_is_read_as_storage_reads_it(text):
    def read(function, argument):
        try:
            return function(argument)
        except InvalidEvent as error:
            return str(error)

    for generated, value in ((text, "2026-01-01"), ("2026-01-01", text)):
        event = Event("1", "t", generated, [Trait("x", 4, value)])
        form = {"message_id": "1", "event_type": "t", "generated": generated, "traits": [["x", 4, value]]}
        assert read(decode_event, form) == read(checked_event, event)


def test_decoding_leaves_its_argument_as_it_was(http_form):
    copy = {**http_form, "traits": [list(trait) for trait in http_form["traits"]]}
    decode_event(http_form)
    assert http_form == copy


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"message_id": None}, "it has no message_id"),
        ({"message_id": 42}, "its message_id is not a text: 42"),
        ({"event_type": ""}, "it has no event_type"),
        ({"generated": None}, "it has no generated"),
        ({"generated": 1767323045}, "its generated is not a text"),
        ({"generated": "soon"}, "its time of generation is not readable: Unable to parse date string 'soon'"),
        ({"traits": {"vcpus": 2}}, "its traits are not a list"),
        ({"traits": ["vcpus"]}, 'a trait is neither [name, dtype, value] nor an object of them: "vcpus"'),
        ({"traits": [["vcpus", 2]]}, 'a trait is neither [name, dtype, value] nor an object of them: ["vcpus", 2]'),
        ({"traits": [{"name": "vcpus", "value": 2}]}, 'a trait has no dtype: {"name": "vcpus", "value": 2}'),
        ({"traits": [{"name": "n", "type": "float"}]}, 'a trait has no value: {"name": "n", "type": "float"}'),
        ({"traits": [{"type": "float", "value": "1"}]}, 'a trait has no name: {"type": "float", "value": "1"}'),
        (
            {"traits": [{"name": "n", "value": "1", "type": "int"}]},
            "a trait has an unknown type, not one of string, integer, float, datetime: "
            '{"name": "n", "value": "1", "type": "int"}',
        ),
        (
            {"traits": [{"name": "n", "value": "1", "type": ["float"]}]},
            "a trait has an unknown type, not one of string, integer, float, datetime: "
            '{"name": "n", "value": "1", "type": ["float"]}',
        ),
        (
            {"traits": [{"name": "n", "value": "x", "type": "integer"}]},
            "trait n is not a valid integer: invalid literal for int() with base 10: 'x'",
        ),
        ({"traits": [["vcpus", 9, 2]]}, "trait vcpus has the unknown dtype 9"),
        ({"traits": [["vcpus", [2], 2]]}, "trait vcpus has the unknown dtype [2]"),
        ({"traits": [["vcpus", 2, None]]}, "trait vcpus has no value"),
    ],
)
def test_a_bad_event_is_refused_with_the_reason(http_form, change, reason):
    with pytest.raises(InvalidEvent) as refusal:
        decode_event(http_form | change)
    assert str(refusal.value) == reason


def test_the_reason_does_not_repeat_a_long_trait_in_full(http_form):
    with pytest.raises(InvalidEvent) as refusal:
        decode_event(http_form | {"traits": ["x" * 10_000]})
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("document", [None, 42, "event", ["event"]])
def test_a_document_that_is_not_an_object_is_refused(document):
    with pytest.raises(InvalidEvent, match="it is not a JSON object"):
        decode_event(document)


def test_a_document_is_one_event_or_an_array_of_them():
    assert parse_events(b'{"message_id": "1"}') == [{"message_id": "1"}]
    assert parse_events(b'[{"message_id": "1"}, 2]\r\n') == [{"message_id": "1"}, 2]
    assert parse_events(b"[]") == []


@pytest.mark.parametrize(
    "change",
    [
        *({"traits": [["t", 2, 0]]}, {"traits": [["t", 1, [0]]]}, {"traits": [["t", 0, 1]]}, {"traits": [0]}),
        *({"raw": {"n": [0]}}, {"generated": 0}, {"message_id": 0}, {"event_type": 0}),
    ],
)
def test_a_number_too_long_for_python_refuses_only_its_own_event(http_form, change):
    bad = json.dumps(http_form | change).replace(" 0", " " + "9" * 5000).replace("[0", "[" + "9" * 5000).encode()
    good, refused = parse_events(b"[%b,%b]" % (json.dumps(http_form).encode(), bad))
    assert decode_event(good) == EVENT
    with pytest.raises(InvalidEvent) as refusal:
        decode_event(refused)
    assert len(str(refusal.value)) < 200


def test_such_a_number_in_an_unknown_member_is_ignored(http_form):
    (document,) = parse_events(json.dumps(http_form | {"other": 0}).replace(" 0}", " -" + "9" * 5000 + "}").encode())
    assert decode_event(document) == EVENT


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"{", "it is not JSON: Expecting property name"),
        (b"", "it is not JSON: Expecting value"),
        (b'{"raw": "\xff"}', "it is not UTF-8: invalid start byte at byte 9"),
        (b"[" * 100_000, "it cannot be read as JSON: it is nested too deeply"),
    ],
)
def test_a_document_that_is_not_json_is_refused_with_the_reason(document, reason):
    with pytest.raises(InvalidEvent) as refusal:
        parse_events(document)
    assert str(refusal.value).startswith(reason)
