# SPDX-License-Identifier: Apache-2.0
"""Whatever the body of a message is, a notification comes of it, which says what is wrong where something is."""

import json

import pytest

from panko.ingest.notifications import PRIORITY, Unreadable, read_notification

EVENT = {"message_id": "1", "traits": [["n", 2, 2**70]], "raw": {"n": 12345678901234567890123}}


def in_envelope(notification) -> str:
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(notification)})


@pytest.mark.parametrize("make", [in_envelope, json.dumps, lambda n: in_envelope(n).encode()])
@pytest.mark.parametrize("payload", [[EVENT], EVENT])
def test_a_payload_comes_out_as_it_went_in(make, payload):
    notification = {"message_id": "m", "priority": "SAMPLE", "payload": payload, "_unique_id": "u"}
    read = read_notification(make(notification))
    assert read["payload"] == [EVENT]
    assert (read["priority"], read["message_id"]) == (PRIORITY, "m")
    assert "_unique_id" not in read


@pytest.mark.parametrize("value", [float("inf"), "\ud800", -(2**64)])
def test_what_python_alone_writes_is_read(value):
    for make in (in_envelope, json.dumps):
        assert read_notification(make({"payload": [value]}))["payload"] == [value]


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", b"\xff", "not JSON", "[" * 100_000, '{"oslo.message": 1}', '{"oslo.message": "{"}'),
        '{"oslo.version": "2.0", "oslo.message": null}',
    ],
)
def test_what_is_no_json_is_said_to_be_none(body):
    assert read_notification(body)["payload"] == Unreadable("not JSON")
    assert read_notification(body)["priority"] == PRIORITY


@pytest.mark.parametrize(
    "body", ["null", "1", '"text"', "[]", "{}", '{"payload": 1}', in_envelope([]), in_envelope({})]
)
def test_what_is_no_notification_is_said_to_be_none(body):
    assert read_notification(body)["payload"] == Unreadable("not a notification")


def test_of_a_notification_without_events_at_least_the_id_is_known():
    assert read_notification('{"message_id": "m"}')["payload"] == Unreadable("not a notification", "m")


def test_a_number_that_python_does_not_read_leaves_the_other_events_be():
    text = '{"payload": [{"message_id": "1"}, {"raw": 0}]}'.replace("0", "1" * 5000)
    for body in (text, json.dumps({"oslo.message": text})):
        assert read_notification(body)["payload"][0] == {"message_id": "1"}
