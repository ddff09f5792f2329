# SPDX-License-Identifier: Apache-2.0
"""The events of messages are stored in batches; bad ones are refused alone, counted, and logged with their id."""

import logging
import threading

import pytest

from panko.ingest.collector import Collector
from panko.ingest.decoding import Unreadable
from panko.ingest.signatures import sign
from panko.ingest.stats import Stats, reason_of
from panko.storage import impl_log
from panko.storage.base import Recorded
from panko.storage.errors import EventsRefused, Refusal, StorageUnavailable

HIDDEN = "not for the log"


class Recorder(impl_log.Connection):
    """A storage driver that remembers its calls; the first ones raise the given exceptions."""

    def __init__(self, *failures):
        super().__init__("log://", None)
        self.calls = []
        self.failures = list(failures)

    def record_events(self, events):
        self.calls.append([event.message_id for event in events])
        if self.failures:
            raise self.failures.pop(0)
        return Recorded(stored=len(events))


@pytest.fixture
def stats():
    return Stats()


def event(message_id, **members):
    return {
        "message_id": message_id,
        "event_type": "t",
        "generated": "2026-01-02T03:04:05.678901",
        "traits": [["n", 1, HIDDEN]],
        "raw": {"n": HIDDEN},
        "message_signature": "",
    } | members


def collector(storage, stats, secret=None, stopping=False):
    event = threading.Event()
    if stopping:
        event.set()
    return Collector(storage, secret, stats, event)


def test_the_events_of_many_messages_are_one_call(stats):
    storage = Recorder()
    assert collector(storage, stats).collect([[event("1")], [event("2"), event("3")], []])
    assert storage.calls == [["1", "2", "3"]]
    assert str(stats) == "3 events stored, 0 duplicates, 0 refused"


def test_all_collectors_store_events_in_one_order(stats):
    """Two that store the same events in different orders would block each other in the database."""
    storage = Recorder()
    assert collector(storage, stats).collect([[event("b")], [event("a"), event("c")], [event("a", event_type="later")]])
    assert storage.calls == [["a", "a", "b", "c"]]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (event(None), "no message_id"),
        (event("b" * 256), "bad message_id"),
        (event(5), "bad message_id"),
        (event("bad", event_type=None), "no event_type"),
        (event("bad", event_type="t" * 256), "bad event_type"),
        (event("bad", generated=None), "unreadable time"),
        (event("bad", generated=1), "unreadable time"),
        (event("bad", generated=HIDDEN), "unreadable time"),
        (event("bad", generated="2026-13-02T03:04:05"), "unreadable time"),
        (event("bad", traits=[["n", 9, HIDDEN]]), "unknown dtype"),
        (event("bad", traits=[["line\nbreak", 9, HIDDEN]]), "unknown dtype"),
        (event("bad", traits=[["n", 2, HIDDEN]]), "bad trait"),
        (event("bad", traits=[["n", 2]]), "bad trait"),
        (event("bad", traits=HIDDEN), "bad trait"),
        (event("bad", traits=[HIDDEN]), "bad trait"),
        (event("bad", traits=[["", 1, HIDDEN]]), "bad trait"),
        (event("bad", traits=[["n" * 256, 1, HIDDEN]]), "bad trait"),
        (event("bad", traits=[[[HIDDEN], 1, "x"]]), "bad trait"),
        (event("bad", raw={"n": float("nan")}), "bad raw notification"),
        (HIDDEN, "not an event"),
    ],
)
def test_a_bad_event_is_refused_alone(stats, caplog, bad, reason):
    storage = Recorder()
    assert collector(storage, stats).collect([[event("1"), bad], [event("2")]])
    assert storage.calls == [["1", "2"]]
    assert stats.refused == {reason: 1}
    (said,) = caplog.messages
    assert said.endswith(f" was refused: {reason}")
    assert HIDDEN not in said
    if isinstance(bad, dict) and isinstance(bad["message_id"], str):
        assert bad["message_id"][:255] in said
    assert str(stats) == f"2 events stored, 0 duplicates, 1 refused ({reason}: 1)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("its 2000000 bytes as SQL are more than the database takes: see its max_allowed_packet", "too large"),
        ("the database refused it", "refused by the database"),
        ("it is nested too deeply", "nested too deeply"),
        ("it is not an event: 'int' object has no attribute 'traits'", "not an event"),
        ("a driver of another package says this", "other"),
    ],
)
def test_a_refusal_is_counted_by_its_reason(text, reason):
    assert reason_of(text) == reason


def test_a_message_that_cannot_be_read_is_refused_alone(stats, caplog):
    storage = Recorder()
    unreadable = [Unreadable("not JSON"), Unreadable("not a notification", "m\n1")]
    assert collector(storage, stats).collect([unreadable[0], [event("1")], unreadable[1]])
    assert storage.calls == [["1"]]
    assert stats.refused == {"not JSON": 1, "not a notification": 1}
    assert caplog.messages == [
        "Event without message_id was refused: not JSON",
        r"Event 'm\n1' was refused: not a notification",
    ]


def test_without_events_storage_is_not_called(stats):
    storage = Recorder()
    assert collector(storage, stats).collect([[], Unreadable("not JSON")])
    assert storage.calls == []


def test_with_a_secret_unsigned_events_are_refused(stats):
    storage = Recorder()
    signed, changed = event("signed"), event("changed")
    signed["message_signature"] = sign(signed, "secret")
    changed["message_signature"] = sign(changed | {"raw": {}}, "secret")
    assert collector(storage, stats, "secret").collect([[signed, changed, event("unsigned"), HIDDEN]])
    assert storage.calls == [["signed"]]
    assert stats.refused == {"bad signature": 2, "not an event": 1}


def test_events_that_storage_refuses_are_counted_and_acknowledged(stats):
    class Refusing(Recorder):
        def record_events(self, events):
            raise EventsRefused([Refusal(events[0], "its raw notification is too large")], stored=1, duplicates=1)

    assert collector(Refusing(), stats).collect([[event("1"), event("2"), event("3")]])
    assert str(stats) == "1 events stored, 1 duplicates, 1 refused (bad raw notification: 1)"


@pytest.mark.parametrize("error", [StorageUnavailable("no route"), RuntimeError("a fault of the program")])
def test_while_the_database_is_unavailable_the_batch_is_retried(stats, caplog, error):
    storage = Recorder(error)
    assert collector(storage, stats).collect([[event("1")]])
    assert storage.calls == [["1"], ["1"]]
    assert str(stats) == "1 events stored, 0 duplicates, 0 refused"
    (record,) = caplog.records
    assert record.getMessage().endswith("Trying again in 0.5 s.")
    assert bool(record.exc_info) == isinstance(error, RuntimeError)


def test_a_batch_at_the_end_of_the_process_goes_back_to_the_queue_at_once(stats, caplog):
    storage = Recorder(*[StorageUnavailable()] * 2)
    assert not collector(storage, stats, stopping=True).collect([[event("1")]])
    assert storage.calls == [["1"]]
    assert caplog.record_tuples[-1][1] == logging.WARNING
    assert stats.take_report() is None


@pytest.mark.parametrize("refused", [event("bad", traits=HIDDEN), HIDDEN])
def test_refused_events_of_a_batch_that_is_not_stored_are_counted_once(stats, caplog, refused):
    """The messages go back to the queue and come again; a message may also be one that cannot be read."""
    storage = Recorder(StorageUnavailable())
    messages = [[event("1"), refused], Unreadable("not JSON")]
    assert not collector(storage, stats, stopping=True).collect(messages)
    assert stats.take_report() is None
    assert "refused" not in caplog.text
    assert collector(storage, stats).collect(messages)
    assert stats.refused.total() == 2
    assert caplog.text.count("was refused") == 2


def test_a_batch_is_not_retried_forever(stats, monkeypatch):
    """It goes back to the queue, from where another collector may take it."""
    monkeypatch.setattr("panko.ingest.collector.RETRY_TIMEOUT_SECONDS", 0)
    storage = Recorder(StorageUnavailable())
    assert not collector(storage, stats).collect([[event("1")]])
    assert storage.calls == [["1"]]


def test_pauses_between_retries_grow_up_to_a_bound(stats, monkeypatch, caplog):
    monkeypatch.setattr("panko.ingest.collector.MIN_RETRY_SECONDS", 0.001)
    monkeypatch.setattr("panko.ingest.collector.MAX_RETRY_SECONDS", 0.003)
    storage = Recorder(*[StorageUnavailable()] * 4)
    assert collector(storage, stats).collect([[event("1")]])
    assert [message.rpartition("again in ")[2] for message in caplog.messages] == [
        f"{pause} s." for pause in (0.001, 0.002, 0.003, 0.003)
    ]


def test_counts_are_reported_once():
    stats = Stats()
    assert stats.take_report() is None
    stats.add(2, 1)
    assert stats.take_report() == "2 events stored, 1 duplicates, 0 refused"
    assert stats.take_report() is None
    stats.add_refused("not JSON")
    assert stats.take_report() == "2 events stored, 1 duplicates, 1 refused (not JSON: 1)"
