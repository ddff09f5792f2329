# SPDX-License-Identifier: Apache-2.0
"""Tests of events as the JSON that the API answers with."""

import datetime
import json

import pytest

from panko.storage.filters import Place
from panko.storage.models import Event, Trait
from panko.storage.serialization import find_place, serialize_event
from panko.storage.validation import checked_event

NOON = datetime.datetime(2024, 1, 15, 12)
TRAITS = (
    Trait("at", 4, NOON.replace(microsecond=1)),
    Trait("load", 3, -0.0),
    Trait("size", 2, -(2**63)),
    Trait("text", 1, '"\\é\U0001f600\n\x01\x7f\u2028'),
    Trait("text", 1, ""),
)


def test_document_is_an_event_as_clients_know_it() -> None:
    event = checked_event(Event("m", "type", NOON, TRAITS, {"payload": [1, None]}))
    assert json.loads(serialize_event(event)) == {
        "message_id": "m",
        "event_type": "type",
        "traits": [
            {"name": "at", "value": "2024-01-15T12:00:00.000001", "type": "datetime"},
            {"name": "load", "value": "-0.0", "type": "float"},
            {"name": "size", "value": "-9223372036854775808", "type": "integer"},
            {"name": "text", "value": '"\\é\U0001f600\n\x01\x7f\u2028', "type": "string"},
            {"name": "text", "value": "", "type": "string"},
        ],
        "generated": "2024-01-15T12:00:00",
        "raw": {"payload": [1, None]},
    }


def test_members_come_in_the_order_of_the_documentation() -> None:
    members = json.loads(serialize_event(checked_event(Event("m", "type", NOON))))
    assert list(members) == ["message_id", "event_type", "traits", "generated", "raw"]


@pytest.mark.parametrize("name", ['"', "\\", "é", "\U0001f600", "\n", "%s", "{}", "\x7f"])
def test_names_are_escaped(name) -> None:
    document = json.loads(serialize_event(checked_event(Event(name, name, NOON, [Trait(name, 1, name)]))))
    assert document["message_id"] == document["event_type"] == name
    assert document["traits"] == [{"name": name, "value": name, "type": "string"}]


def test_raw_is_given_as_it_is() -> None:
    """Any character and any number, those too that no trait can have."""
    raw = {"é": "\x00\ud800", "big": 2**100}
    assert json.loads(serialize_event(checked_event(Event("m", "type", NOON, TRAITS, raw))))["raw"] == raw


@pytest.mark.parametrize("raw", [None, {}])
def test_event_without_raw_has_an_empty_one(raw) -> None:
    assert json.loads(serialize_event(checked_event(Event("m", "type", NOON, (), raw))))["raw"] == {}


@pytest.mark.parametrize("generated", [NOON, NOON.replace(microsecond=5), datetime.datetime.min, datetime.datetime.max])
@pytest.mark.parametrize("message_id", ["m", 'a","raw":b', "é\U0001f600\\"])
def test_a_document_shows_the_place_of_its_event(message_id: str, generated: datetime.datetime) -> None:
    traits = [Trait('x","raw":', 1, '","raw":{"generated":"2020-01-01"')]
    raw = {"generated": "2020-01-01", "message_id": "other", "deep": {}}
    event = checked_event(Event(message_id, "type", generated, traits, raw))
    assert find_place(serialize_event(event)) == Place(generated, message_id)


def test_a_place_is_found_whatever_the_notification_is() -> None:
    """It may be nested more deeply than can be parsed."""
    document = serialize_event(checked_event(Event("m", "type", NOON, (), {})))
    deep = document.removesuffix(b"{}}") + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert find_place(deep) == Place(NOON, "m")


def test_a_place_is_found_in_another_order_of_members() -> None:
    """Other drivers make their own documents."""
    document = b'{"raw": {"a": 1}, "generated": "2024-01-15T12:00:00", "message_id": "m"}'
    assert find_place(document) == Place(NOON, "m")
