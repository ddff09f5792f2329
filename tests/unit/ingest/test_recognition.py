# SPDX-License-Identifier: Apache-2.0
"""What is not an event gets an error that says what it is; messages of the bus are unpacked."""

import base64
import codecs
import json
import pickle
from pathlib import Path

import pytest

from panko.ingest.decoding import decode_event, unpack_events
from panko.ingest.recognition import describe_start
from panko.storage.errors import MAX_REPEATED, InvalidEvent

EVENT = {"message_id": "1", "event_type": "t", "generated": "2026-01-02T03:04:05", "traits": []}
OTHER = EVENT | {"message_id": "2"}
SAMPLE = {
    "counter_name": "cpu",
    "counter_type": "cumulative",
    "counter_volume": 1,
    "resource_id": "r",
    "message_id": "m",
}
SAMPLES = json.loads(Path(__file__).with_name("notifications.json").read_text())["notifications"]
NOTIFICATIONS = {each["service"]: each["notification"] for each in SAMPLES}


def notification(payload, **members):
    return {"message_id": "n", "publisher_id": "telemetry", "event_type": "event", "priority": "SAMPLE"} | {
        "payload": payload,
        **members,
    }


def envelope(message):
    return {"oslo.version": "2.0", "oslo.message": json.dumps(message)}


def delivery(message, encoding="string"):
    """Return a message as RabbitMQ's management API returns it."""
    body = json.dumps(message)
    payload = base64.b64encode(body.encode()).decode() if encoding == "base64" else body
    return {"exchange": "ceilometer", "routing_key": "event.sample", "payload": payload, "payload_encoding": encoding}


def reason(document):
    """Return why what a document contains cannot be stored."""
    (member,) = unpack_events(document)
    with pytest.raises(InvalidEvent) as refusal:
        decode_event(member)
    assert len(str(refusal.value)) <= MAX_REPEATED
    return str(refusal.value)


@pytest.mark.parametrize(
    "pack",
    [
        *(lambda events: notification(events), lambda events: envelope(notification(events))),
        lambda events: delivery(envelope(notification(events))),
        lambda events: delivery(envelope(notification(events)), "base64"),
        lambda events: notification(events, event_type=None),
    ],
)
def test_a_message_is_unpacked(pack):
    assert unpack_events(pack([EVENT, OTHER])) == [EVENT, OTHER]


@pytest.mark.parametrize("pack", [notification, lambda event: envelope(notification(event)), lambda event: event])
def test_an_event_is_unpacked(pack):
    assert unpack_events(pack(EVENT)) == [EVENT]


def test_an_event_is_not_searched_for_others():
    odd = EVENT | {"payload": [OTHER], "oslo.message": "{"}
    assert list(unpack_events(odd)) == [odd]


def test_a_bad_event_in_a_message_leaves_the_others():
    assert list(unpack_events(envelope(notification([EVENT, {"message_id": "2"}, 3])))) == [
        EVENT,
        {"message_id": "2"},
        3,
    ]


def test_a_message_without_events_is_nothing():
    assert list(unpack_events(envelope(notification([])))) == []


@pytest.mark.parametrize(
    "document",
    [
        *({"oslo.message": "{"}, {"oslo.message": 1}, {"oslo.message": None}, {"oslo.message": "[" * 100_000}),
        *(envelope(envelope(notification([EVENT]))), notification({}), notification("text"), notification(None)),
        *({"payload": "*", "payload_encoding": "base64"}, {"payload": "x", "payload_encoding": "string"}),
    ],
)
def test_a_message_that_cannot_be_read_is_refused(document):
    with pytest.raises(InvalidEvent, match="it is a message that "):
        unpack_events(document)


@pytest.mark.parametrize("pack", [envelope, dict, lambda message: delivery(envelope(message))])
@pytest.mark.parametrize("service", NOTIFICATIONS)
def test_a_notification_of_another_service_is_named(service, pack):
    """Their events are made by Ceilometer, whose definitions say which traits they have."""
    message = NOTIFICATIONS[service]
    what = "a notification with a CADF audit record" if "CADF" in service else "a notification"
    assert reason(pack(message)) == (
        f"it is {what}, not an event; Ceilometer makes events of notifications, and publishes them: "
        f"{message['event_type']} of {message['publisher_id'] or 'an unknown publisher'}"
    )


def test_there_are_samples_of_ten_services():
    assert len({service.partition(" ")[0] for service in NOTIFICATIONS}) >= 10


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (SAMPLE, "it is a sample of Ceilometer, not an event: cpu"),
        (notification([SAMPLE]), "it is a sample of Ceilometer, not an event: cpu"),
        (
            notification([SAMPLE], event_type="metering"),
            "it is a message with samples of Ceilometer, not with events: metering",
        ),
        (
            envelope(notification({"samples": [SAMPLE]}, event_type="telemetry.polling")),
            "it is a message with samples of Ceilometer, not with events: telemetry.polling",
        ),
        (
            NOTIFICATIONS["keystone (CADF)"]["payload"],
            "it is a CADF audit record, not an event; Ceilometer makes events of the notifications that contain such "
            "records: authenticate",
        ),
        (
            {"error_message": {"faultcode": "Server", "faultstring": "Marker x not found.", "debuginfo": None}},
            "it is an error response of an API, not events: Marker x not found.",
        ),
        (
            {"error_message": "<html>\n <head>\n  <title>403</title>\n </head>\n <body>No.<br /></body></html>"},
            "it is an error response of an API, not events: No.",
        ),
        (
            {"error_message": {"code": 403, "title": "Forbidden", "description": "RBAC Authorization Failed"}},
            "it is an error response of an API, not events: RBAC Authorization Failed",
        ),
        (
            {"error": {"code": 401, "title": "Unauthorized", "message": "The request requires authentication."}},
            "it is an error response of an API, not events: The request requires authentication.",
        ),
        ({"versions": {"values": []}}, "it is the list of versions of an API, not events: request /v2/events"),
    ],
)
def test_what_is_not_an_event_is_named(document, expected):
    assert reason(document) == expected


def test_a_payload_alone_is_named():
    assert "raw_only=True" in reason(NOTIFICATIONS["nova"]["payload"])


@pytest.mark.parametrize("message", [envelope(notification([EVENT])), notification([EVENT])])
def test_a_message_where_an_event_is_expected_is_named(message):
    with pytest.raises(InvalidEvent, match="which only panko-import reads"):
        decode_event(message)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"<!DOCTYPE html>\n<html>", "an HTML page"),
        (b"\xef\xbb\xbf\r\n <HTML><head>", "an HTML page"),
        (b"<result><item>", "XML"),
        (b'<?xml version="1.0"?>', "XML"),
        (b"HTTP/1.1 200 OK\r\n", "an HTTP response with its headers"),
        (b"--\n-- PostgreSQL database dump\n--\n", "an SQL dump"),
        (b"-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB", "an SQL dump"),
        (b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;", "an SQL dump"),
        (b"insert into event values (1)", "an SQL dump"),
        (b"SQLite format 3\x00\x10\x00", "an SQLite database"),
        (b"PGDMP\x01\x0e", "a dump of PostgreSQL"),
        (pickle.dumps([EVENT]), "a pickle of Python"),
        (pickle.dumps([EVENT], 2), "a pickle of Python"),
        (json.dumps(EVENT).encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + b"\x00{", "UTF-16"),
        (b"BZh91AY&SY", "compressed in a form that is not read: use bzip2 -dc FILE | panko-import -"),
        (b"\xfd7zXZ\x00\x00", "compressed in a form that is not read: use xz -dc FILE | panko-import -"),
        (b"PK\x03\x04", "compressed in a form that is not read: use unzip -p FILE | panko-import -"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "a binary file"),
        (b"message_id,event_type,generated\n1,t,2026", "CSV"),
        (b"generated,message_id,event_type\n", "CSV"),
        (b"{'message_id': '1'}", "Python's notation"),
        (b"[\n {u'message_id': '1'}]", "Python's notation"),
        (b"+------------+----\n| event_type", "a table of the openstack command"),
    ],
)
def test_an_input_that_is_not_json_is_named(start, expected):
    assert str(describe_start(start)).startswith(f"it is {expected}")


@pytest.mark.parametrize(
    "start",
    [
        *(
            b"",
            b" ",
            b"{",
            b"[",
            b'{"message_id": "1"}',
            b"[{",
            b'[\n  {\n    "message_id"',
            b"\xef\xbb\xbf[]",
            b"no event",
        ),
        *(b"-- a line of a log", b'"message"', b"2026-01-02 03:04:05", b"set out", b"null"),
    ],
)
def test_anything_else_may_be_json(start):
    assert describe_start(start) is None
