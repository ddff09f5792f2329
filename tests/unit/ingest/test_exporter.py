# SPDX-License-Identifier: Apache-2.0
"""Events are exported as lines, in batches of limited size."""

import datetime
import itertools
import tracemalloc

from panko.ingest import exporter
from panko.ingest.exporter import EXPORT_BATCH_BYTES, Selection, read_batches
from panko.storage.filters import EventFilter, Page, Place, Scope

NOON = datetime.datetime(2026, 1, 2, 12)


class Storage:
    """Gives documents, and keeps what it was asked for."""

    def __init__(self, documents):
        self.documents = documents

    def get_documents(self, event_filter, pagination):
        self.asked = event_filter, pagination
        return iter(self.documents)


def test_all_events_become_lines_in_batches():
    documents = [b'{"number":%d}' % number for number in range(200_000)]
    batches = list(read_batches(Storage(documents), Selection(), None))
    assert len(batches) > 1
    assert all(number == lines.count(b"\n") for number, lines in batches)
    assert max(len(lines) for _, lines in batches) < EXPORT_BATCH_BYTES + 100
    assert b"".join(lines for _, lines in batches) == b"".join(document + b"\n" for document in documents)


def test_no_events_are_no_batch():
    assert list(read_batches(Storage([]), Selection(), None)) == []


def test_events_that_come_slowly_are_not_held_back(monkeypatch):
    seconds = itertools.count()
    monkeypatch.setattr(exporter.time, "monotonic", lambda: next(seconds))
    assert [number for number, _ in read_batches(Storage([b"{}"] * 3), Selection(), None)] == [1, 1, 1]


def test_memory_does_not_grow_with_the_number_of_events():
    # The document is one object, so what is in memory is what the export keeps.
    documents = itertools.repeat(b"x" * 10_000, 2000)
    tracemalloc.start()
    try:
        size = sum(len(lines) for _, lines in read_batches(Storage(documents), Selection(), None))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 4 * peak


def test_the_storage_is_asked_for_the_selection_after_the_last_event():
    storage, place = Storage([]), Place(NOON, "id")
    later = NOON + datetime.timedelta(hours=1)
    selection = Selection(NOON, later, ("a", "b"), "p")
    list(read_batches(storage, selection, place))
    event_filter = EventFilter(
        start_timestamp=NOON, end_timestamp=later, event_type=("a", "b"), scope=Scope(project_id="p")
    )
    assert storage.asked == (event_filter, Page(after=place))
    assert storage.asked[1].sort == (("generated", "asc"), ("message_id", "asc"))


def test_events_before_the_last_one_need_not_be_counted():
    for start in (None, NOON - datetime.timedelta(hours=1)):
        assert Selection(start).filter(Place(NOON, "id")).start_timestamp == NOON
    later = NOON + datetime.timedelta(hours=1)
    assert Selection(later).filter(Place(NOON, "id")).start_timestamp == later
    assert Selection().filter().start_timestamp is None
