# SPDX-License-Identifier: Apache-2.0
"""Every way of ingestion stores and refuses the same events."""

import datetime

import pytest

from panko.storage import EventFilter
from panko.storage.models import Trait
from tests.functional.ingest.ways import WAYS
from tests.functional.storage.workers import connected

TEXT, INTEGER, FLOAT, DATETIME = 1, 2, 3, 4
TOO_LONG = 10**5000
"""A number with more digits than Python converts."""

LONG = "ä€😀x" * 10_000
WHEN = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)

STORED = {
    "nothing": ([], []),
    "text of 256 characters": ([["t", 1, "x" * 256]], [("t", TEXT, "x" * 256)]),
    "text of 40000 characters": ([["t", 1, LONG]], [("t", TEXT, LONG)]),
    "empty text": ([["t", 1, ""]], [("t", TEXT, "")]),
    "several of a name and type": (
        [["t", 1, "b"], ["s", 2, 1], ["t", 1, "a"], ["t", 1, "b"]],
        [("s", INTEGER, 1), ("t", TEXT, "b"), ("t", TEXT, "a"), ("t", TEXT, "b")],
    ),
    "one name of several types": (
        [["t", 1, "1"], ["t", 2, 1], ["t", 3, 1.5], ["t", 4, "2026-01-02T03:04:05.678901"]],
        [("t", TEXT, "1"), ("t", INTEGER, 1), ("t", FLOAT, 1.5), ("t", DATETIME, WHEN)],
    ),
    "text without a type": ([["t", 0, "x"]], [("t", TEXT, "x")]),
    "number without a type": ([["t", 0, 5]], [("t", TEXT, "5")]),
    "number as text": ([["t", 1, 5]], [("t", TEXT, "5")]),
    "text as integer": ([["t", 2, "-12"]], [("t", INTEGER, -12)]),
    "whole float as integer": ([["t", 2, 3.0]], [("t", INTEGER, 3)]),
    "largest integer": ([["t", 2, 2**63 - 1]], [("t", INTEGER, 2**63 - 1)]),
    "integer as float": ([["t", 3, 1]], [("t", FLOAT, 1.0)]),
    "text as float": ([["t", 3, "0.5"]], [("t", FLOAT, 0.5)]),
    "time with a zone": ([["t", 4, "2026-01-02T05:04:05.678901+02:00"]], [("t", DATETIME, WHEN)]),
    "time with a space": ([["t", 4, "2026-01-02 03:04:05.678901"]], [("t", DATETIME, WHEN)]),
}
"""Traits as received, and as stored, sorted by name."""

REFUSED = {
    "half an integer": ([["t", 2, 2.5]], "2.5 is not an integer"),
    "text that is no integer": ([["t", 2, "12.5"]], "trait t is not a valid integer"),
    "integer of 65 bits": ([["t", 2, 2**63]], "does not fit into 64 bits"),
    "integer of 5000 digits": ([["t", 2, TOO_LONG]], "does not fit into 64 bits"),
    "float of 5000 digits": ([["t", 3, TOO_LONG]], "trait t is not a valid float"),
    "text of 5000 digits, as a number": ([["t", 1, TOO_LONG]], "trait t is not a valid string"),
    "type of 5000 digits": ([["t", TOO_LONG, 1]], "unknown dtype"),
    "list with 5000 digits": ([["t", 1, [TOO_LONG]]], "trait t is not a valid string"),
    "text that is no number": ([["t", 3, "much"]], "trait t is not a valid float"),
    "not a number": ([["t", 3, "nan"]], "not finite"),
    "text that is no time": ([["t", 4, "yesterday"]], "trait t is not a valid datetime"),
    "number that is no time": ([["t", 4, 5]], "trait t is not a valid datetime"),
    "list as integer": ([["t", 2, [1]]], "trait t is not a valid integer"),
    "unknown type": ([["t", 9, "x"]], "unknown dtype 9"),
    "type as text": ([["t", "2", 1]], "unknown dtype '2'"),
    "no type": ([["t", None, 1]], "unknown dtype None"),
    "no value": ([["t", 1, None]], "trait t has no value"),
    "no name": ([["", 1, "x"]], "it has no trait name"),
    "name of 256 characters": ([["n" * 256, 1, "x"]], "more than 255"),
    "NUL": ([["t", 1, "a\0b"]], "NUL"),
    "one bad trait of three": ([["a", 1, "x"], ["b", 2, "x"], ["c", 1, "x"]], "trait b is not a valid integer"),
}
"""Traits as received, and a part of the reason. An event is stored completely or not at all."""


def document(message_id, traits, generated="2026-01-02T03:04:05.678901"):
    return {"message_id": message_id, "event_type": "t", "generated": generated, "traits": traits, "raw": {}}


@pytest.fixture(params=["sqlite_url", "postgresql_url", "mysql_url"])
def url(request):
    """The URL of a database with an empty schema."""
    url = request.getfixturevalue(request.param)
    with connected(url) as connection:
        connection.upgrade()
    return url


@pytest.mark.parametrize("way", WAYS)
def test_the_same_is_stored_and_refused(url, way, tmp_path):
    """Valid events among invalid ones, which are refused one by one, and duplicates."""
    sent = [document(name, traits) for name, (traits, _) in [*STORED.items(), *REFUSED.items()]]
    sent.sort(key=lambda each: each["message_id"])
    bad_time = document("unreadable time", [], generated="2026-13-02T03:04:05")
    bad_raw = {**document("5000 digits in raw", []), "raw": {"number": TOO_LONG}}
    refused = WAYS[way](url, tmp_path, [*sent, bad_time, bad_raw, document("nothing", [["t", 1, "again"]])])
    assert set(refused) == {*REFUSED, "unreadable time", "5000 digits in raw"}
    # The collector counts refusals by a few kinds of reasons.
    texts = {name: reason for name, (_, reason) in REFUSED.items()} if way != "collector" else {}
    assert {name: text for name, text in texts.items() if text not in refused[name]} == {}
    with connected(url) as connection:
        stored = {event.message_id: event for event in connection.get_events(EventFilter())}
    expected = {name: [Trait(*trait) for trait in traits] for name, (_, traits) in STORED.items()}
    assert {name: list(event.traits) for name, event in stored.items()} == expected
    assert {event.generated for event in stored.values()} == {WHEN}
