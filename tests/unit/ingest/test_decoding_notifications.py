# SPDX-License-Identifier: Apache-2.0
"""read_notification returns a notification for every body; its payload says if something is wrong."""

import json

import pytest

from panko.ingest.decoding import PRIORITY, Unreadable, read_notification

EVENT = {"message_id": "1", "traits": [["n", 2, 2**70]], "raw": {"n": 12345678901234567890123}}


def in_envelope(notification) -> str:
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(notification)})


@pytest.mark.parametrize("make", [in_envelope, json.dumps, lambda n: in_envelope(n).encode()])
@pytest.mark.parametrize("payload", [[EVENT], EVENT])
def test_the_payload_is_returned_unchanged(make, payload):
    notification = {"message_id": "m", "priority": "SAMPLE", "payload": payload, "_unique_id": "u"}
    read = read_notification(make(notification))
    assert read["payload"] == [EVENT]
    assert (read["priority"], read["message_id"]) == (PRIORITY, "m")
    assert "_unique_id" not in read


@pytest.mark.parametrize("value", [float("inf"), "\ud800", -(2**64)])
def test_json_that_only_python_writes_is_read(value):
    for make in (in_envelope, json.dumps):
        assert read_notification(make({"payload": [value]}))["payload"] == [value]


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", b"\xff", "not JSON", "[" * 100_000, '{"oslo.message": 1}', '{"oslo.message": "{"}'),
        '{"oslo.version": "2.0", "oslo.message": null}',
    ],
)
def test_a_body_that_is_not_json_is_unreadable(body):
    assert read_notification(body)["payload"] == Unreadable("not JSON")
    assert read_notification(body)["priority"] == PRIORITY


@pytest.mark.parametrize(
    "body", ["null", "1", '"text"', "[]", "{}", '{"payload": 1}', in_envelope([]), in_envelope({})]
)
def test_a_body_that_is_not_a_notification_is_unreadable(body):
    assert read_notification(body)["payload"] == Unreadable("not a notification")


def test_an_unreadable_notification_keeps_its_id():
    assert read_notification('{"message_id": "m"}')["payload"] == Unreadable("not a notification", "m")


def test_a_number_too_long_for_python_does_not_affect_other_events():
    text = '{"payload": [{"message_id": "1"}, {"raw": 0}]}'.replace("0", "1" * 5000)
    for body in (text, json.dumps({"oslo.message": text})):
        assert read_notification(body)["payload"][0] == {"message_id": "1"}
