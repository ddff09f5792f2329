# SPDX-License-Identifier: Apache-2.0
"""Lines become stored events in batches; bad ones are told with their place, and do not stop the others."""

import datetime
import json

import pytest

from panko.ingest.importer import Counts, Importer, Line, newest_time, read_lines
from panko.storage import impl_log
from panko.storage.errors import EventsRefused, Refusal, StorageUnavailable


class Recorder(impl_log.Connection):
    """A storage driver that remembers its calls, and fails after so many of them."""

    def __init__(self, calls_before_failure=1000):
        super().__init__("log://", None)
        self.calls = []
        self.calls_before_failure = calls_before_failure

    def record_events(self, events):
        if len(self.calls) >= self.calls_before_failure:
            raise StorageUnavailable("The database is away.")
        self.calls.append(list(events))
        return super().record_events(events)

    @property
    def message_ids(self):
        return [[event.message_id for event in events] for events in self.calls]


class Complaints(list):
    """What an importer complained of."""

    def __call__(self, line, reason):
        self.append((line.place, reason))


@pytest.fixture
def storage():
    return Recorder()


@pytest.fixture
def complaints():
    return Complaints()


def event(message_id, **members):
    return {"message_id": message_id, "event_type": "t", "generated": "2026-01-02T03:04:05"} | members


def lines(*documents):
    return list(read_lines("file", [json.dumps(document).encode() + b"\n" for document in documents]))


def import_lines(importer, lines_):
    for line in lines_:
        importer.add(line)
    importer.flush()
    return importer.counts


def test_events_are_stored_in_batches(storage, complaints):
    counts = import_lines(Importer(storage, complaints, batch_size=2), lines(*(event(str(n)) for n in range(5))))
    assert storage.message_ids == [["0", "1"], ["2", "3"], ["4"]]
    assert counts == Counts(lines=5, stored=5)


def test_an_array_of_events_counts_as_one_line(storage, complaints):
    counts = import_lines(Importer(storage, complaints), lines([event("1"), event("2")], []))
    assert counts == Counts(lines=2, stored=2)


def test_duplicates_are_counted(storage, complaints):
    assert import_lines(Importer(storage, complaints), lines(event("1"), event("1"))) == Counts(
        lines=2, stored=1, duplicates=1
    )


def test_a_bad_line_is_told_with_its_number_and_the_others_are_stored(storage, complaints):
    content = [json.dumps(event("1")).encode(), b"{", json.dumps(event("2")).encode(), b'"\xff"']
    counts = import_lines(Importer(storage, complaints), read_lines("f.json", content))
    assert counts == Counts(lines=4, stored=2, refused=2)
    assert [place for place, _ in complaints] == ["f.json:2", "f.json:4"]


def test_a_bad_event_of_an_array_leaves_the_others(storage, complaints):
    counts = import_lines(Importer(storage, complaints), lines([event("1"), event("2", generated="soon"), event("3")]))
    assert counts == Counts(lines=1, stored=2, refused=1)
    assert storage.message_ids == [["1", "3"]]


def test_what_storage_refuses_is_told_with_its_line(storage, complaints):
    raw = [float("nan")]
    counts = import_lines(Importer(storage, complaints), lines(event("1"), event("2", raw=raw), event("3")))
    assert counts == Counts(lines=3, stored=2, refused=1)
    assert [place for place, _ in complaints] == ["file:2"]


def test_what_storage_refuses_is_neither_stored_nor_a_duplicate(complaints):
    class Refusing(Recorder):
        def record_events(self, events):
            raise EventsRefused([Refusal(events[0], "x" * 1000)], stored=1, duplicates=1)

    importer = Importer(Refusing(), complaints)
    import_lines(importer, lines(event("1"), event("2"), event("3")))
    assert importer.counts == Counts(lines=3, stored=1, duplicates=1, refused=1)
    ((place, reason),) = complaints
    assert place == "file:1"
    assert len(reason) < 400


def test_blank_lines_and_a_byte_order_mark_are_no_events(storage, complaints):
    content = [b"\xef\xbb\xbf" + json.dumps(event("1")).encode() + b"\r\n", b"\r\n", b"  \n"]
    assert import_lines(Importer(storage, complaints), read_lines("f", content)) == Counts(lines=3, stored=1)


def test_after_a_failure_the_counts_are_those_of_the_batches_before_it(complaints):
    importer = Importer(Recorder(calls_before_failure=2), complaints, batch_size=2)
    with pytest.raises(StorageUnavailable):
        import_lines(importer, lines(*(event(str(n)) for n in range(7))))
    assert importer.counts == Counts(lines=4, stored=4)


def test_all_times_can_be_moved(storage, complaints):
    import_lines(Importer(storage, complaints, shift=datetime.timedelta(days=1)), lines(event("1")))
    assert storage.calls[0][0].generated == datetime.datetime(2026, 1, 3, 3, 4, 5)


def test_the_newest_time_is_that_of_any_line():
    early, late = "2026-01-01T00:00:00", "2026-01-03T00:00:00+01:00"
    assert newest_time(
        [*lines(event("1", generated=late)), Line("f", 2, b"{"), *lines([event("2", generated=early)])]
    ) == datetime.datetime(2026, 1, 2, 23)


def test_without_events_there_is_no_newest_time():
    assert newest_time([Line("f", 1, b"{"), Line("f", 2, b"")]) is None
