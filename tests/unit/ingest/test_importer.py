# SPDX-License-Identifier: Apache-2.0
"""Lines become stored events in batches; bad ones are reported with their place, and do not stop the others."""

import datetime
import json

import pytest

from panko.ingest import importer
from panko.ingest.importer import Counts, Element, Importer, Line, newest_time, read_lines, shift_event
from panko.storage import impl_log
from panko.storage.errors import EventsRefused, InvalidEvent, Refusal, StorageUnavailable
from panko.storage.models import Event, Trait
from panko.storage.validation import checked_event

DAY = datetime.timedelta(days=1)
SHIFTABLE = checked_event(
    Event(
        "1",
        "t",
        datetime.datetime(2026, 1, 2),
        (Trait("at", Trait.DATETIME_TYPE, datetime.datetime(2026, 1, 1)), Trait("host", Trait.TEXT_TYPE, "2026-01-01")),
        {"at": "2026-01-01"},
    )
)


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


class Reports(list):
    """The events that an importer reported as not stored."""

    def __call__(self, line, reason):
        self.append((line.place, reason))


@pytest.fixture
def storage():
    return Recorder()


@pytest.fixture
def reports():
    return Reports()


def event(message_id, **members):
    return {"message_id": message_id, "event_type": "t", "generated": "2026-01-02T03:04:05"} | members


def lines(*documents):
    return list(read_lines("file", [json.dumps(document).encode() + b"\n" for document in documents]))


def import_lines(subject, lines_):
    for line in lines_:
        subject.add(line)
    subject.flush()
    return subject.counts


def test_events_are_stored_in_batches(storage, reports):
    counts = import_lines(Importer(storage, reports, batch_size=2), lines(*(event(str(n)) for n in range(5))))
    assert storage.message_ids == [["0", "1"], ["2", "3"], ["4"]]
    assert counts == Counts(lines=5, stored=5)


@pytest.mark.parametrize("by_lines", [True, False])
def test_a_batch_of_large_events_has_fewer(monkeypatch, storage, reports, by_lines):
    """Else it would need as much memory as 500 large events do."""
    monkeypatch.setattr(importer, "MAX_BATCH_BYTES", 1000)
    documents = [event(str(number), raw={"x": "y" * 500}) for number in range(5)]
    elements = [Element("file", 1, number, document, 600) for number, document in enumerate(documents, 1)]
    import_lines(Importer(storage, reports), lines(*documents) if by_lines else elements)
    assert storage.message_ids == [["0", "1"], ["2", "3"], ["4"]]


def test_an_array_of_events_counts_as_one_line(storage, reports):
    counts = import_lines(Importer(storage, reports), lines([event("1"), event("2")], []))
    assert counts == Counts(lines=2, stored=2)


def test_duplicates_are_counted(storage, reports):
    assert import_lines(Importer(storage, reports), lines(event("1"), event("1"))) == Counts(
        lines=2, stored=1, duplicates=1
    )


def test_a_bad_line_is_reported_with_its_number_and_the_others_are_stored(storage, reports):
    content = [json.dumps(event("1")).encode(), b"{", json.dumps(event("2")).encode(), b'"\xff"']
    counts = import_lines(Importer(storage, reports), read_lines("f.json", content))
    assert counts == Counts(lines=4, stored=2, refused=2)
    assert [place for place, _ in reports] == ["f.json:2", "f.json:4"]


def test_a_bad_event_of_an_array_leaves_the_others(storage, reports):
    counts = import_lines(Importer(storage, reports), lines([event("1"), event("2", generated="soon"), event("3")]))
    assert counts == Counts(lines=1, stored=2, refused=1)
    assert storage.message_ids == [["1", "3"]]


def test_a_bad_message_in_an_array_of_arrays_leaves_the_others(storage, reports):
    import_lines(Importer(storage, reports), lines([[event("1"), {"oslo.message": "{"}], event("2"), [event("3")]]))
    assert storage.message_ids == [["1", "2", "3"]]
    assert [place for place, _ in reports] == ["file:1"]


def test_what_storage_refuses_is_reported_with_its_line(storage, reports):
    raw = [float("nan")]
    counts = import_lines(Importer(storage, reports), lines(event("1"), event("2", raw=raw), event("3")))
    assert counts == Counts(lines=3, stored=2, refused=1)
    assert [place for place, _ in reports] == ["file:2"]


def test_what_storage_refuses_is_neither_stored_nor_a_duplicate(reports):
    class Refusing(Recorder):
        def record_events(self, events):
            raise EventsRefused([Refusal(events[0], "x" * 1000)], stored=1, duplicates=1)

    importer = Importer(Refusing(), reports)
    import_lines(importer, lines(event("1"), event("2"), event("3")))
    assert importer.counts == Counts(lines=3, stored=1, duplicates=1, refused=1)
    ((place, reason),) = reports
    assert place == "file:1"
    assert len(reason) < 400


def test_blank_lines_and_a_byte_order_mark_are_no_events(storage, reports):
    content = [b"\xef\xbb\xbf" + json.dumps(event("1")).encode() + b"\r\n", b"\r\n", b"  \n"]
    assert import_lines(Importer(storage, reports), read_lines("f", content)) == Counts(lines=3, stored=1)


def test_after_a_failure_the_counts_are_those_of_the_batches_before_it(reports):
    importer = Importer(Recorder(calls_before_failure=2), reports, batch_size=2)
    with pytest.raises(StorageUnavailable):
        import_lines(importer, lines(*(event(str(n)) for n in range(7))))
    assert importer.counts == Counts(lines=4, stored=4)


def test_all_times_can_be_moved(storage, reports):
    import_lines(Importer(storage, reports, shift=datetime.timedelta(days=1)), lines(event("1")))
    assert storage.calls[0][0].generated == datetime.datetime(2026, 1, 3, 3, 4, 5)


def test_the_newest_time_is_that_of_any_line():
    early, late = "2026-01-01T00:00:00", "2026-01-03T00:00:00+01:00"
    assert newest_time(
        [*lines(event("1", generated=late)), Line("f", 2, b"{"), *lines([event("2", generated=early)])]
    ) == datetime.datetime(2026, 1, 2, 23)


def test_without_events_there_is_no_newest_time():
    assert newest_time([Line("f", 1, b"{"), Line("f", 2, b"")]) is None


def test_the_time_of_generation_and_traits_that_are_times_move():
    shifted = shift_event(SHIFTABLE, DAY)
    assert shifted.generated == datetime.datetime(2026, 1, 3)
    assert shifted.traits[0].value == datetime.datetime(2026, 1, 2)


def test_texts_and_the_raw_notification_stay_as_they_are():
    shifted = shift_event(SHIFTABLE, DAY)
    assert shifted.traits[1] == SHIFTABLE.traits[1]
    assert shifted.raw == SHIFTABLE.raw


def test_a_time_outside_the_calendar_is_refused():
    with pytest.raises(InvalidEvent, match="cannot be moved"):
        shift_event(SHIFTABLE, 3_000_000 * DAY)
