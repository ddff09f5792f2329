# SPDX-License-Identifier: Apache-2.0
"""``clear_expired_data`` deletes old events and the names that only they used; ``last_expiry`` tells when."""

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from oslo_utils import timeutils

from panko.cmd.expirer import expire
from panko.storage.filters import Page
from panko.storage.models import TraitDescription, TraitType
from tests.functional.storage.builders import DAY, ago, at, count_by_type, event, found, has, trait
from tests.functional.storage.contract.event_types import NAME_SETS
from tests.functional.storage.contract.far_times import FAR_EVENTS, FAR_TIMES, MICROSECOND


def trait_names(storage, event_type: str = "sample.created") -> list[str]:
    """Return the names of the traits that events of a type have."""
    return [each.name for each in storage.get_trait_types(event_type)]


class ClearExpiredData:
    """Behaviours of ``clear_expired_data`` and ``last_expiry``."""

    def test_only_older_events_are_deleted(self, storage):
        storage.record_events(event(f"{hours}", generated=ago(hours=hours)) for hours in (1, 5, 7, 30, -5))
        assert storage.clear_expired_data(6 * 3600) == 2
        assert found(storage) == ["5", "1", "-5"]

    def test_nothing_is_deleted_if_nothing_expired(self, storage):
        assert storage.clear_expired_data(0) == 0
        storage.record_events([event("a", generated=ago(hours=1))])
        assert storage.clear_expired_data(DAY) == 0
        assert found(storage) == ["a"]

    def test_oldest_events_are_deleted_first(self, storage):
        storage.record_events(event(f"{days}", generated=ago(days=days)) for days in (3, 5, 2, 4, 6))
        assert storage.clear_expired_data(DAY, max_count=2) == 2
        assert found(storage) == ["4", "3", "2"]
        assert storage.clear_expired_data(DAY, 2) == 2
        assert storage.clear_expired_data(DAY, 2) == 1
        assert storage.clear_expired_data(DAY, 2) == 0

    @pytest.mark.parametrize("unbounded", [None, 0])
    def test_all_expired_events_are_deleted_and_counted(self, storage, unbounded):
        """Even if there are more than one transaction deletes."""
        storage.record_events(event(f"m{i}", trait("x", i), generated=ago(days=2, seconds=i)) for i in range(2300))
        storage.record_events([event("new", trait("x", -1), generated=ago(hours=1))])
        assert storage.clear_expired_data(DAY, unbounded) == 2300
        assert found(storage) == ["new"]

    def test_max_count_may_be_more_than_a_transaction_deletes(self, storage):
        storage.record_events(event(f"m{i:04}", generated=ago(days=2, seconds=-i)) for i in range(2300))
        assert storage.clear_expired_data(DAY, 2100) == 2100
        assert found(storage) == [f"m{i:04}" for i in range(2100, 2300)]

    def test_ttl_longer_than_all_time_deletes_nothing(self, storage):
        storage.record_events([event("a", generated=ago(days=700_000))])
        for ttl in (10**11, 10**15, 2**63):
            assert storage.clear_expired_data(ttl) == 0
        assert found(storage) == ["a"]

    def test_deleted_events_match_no_filter(self, storage):
        values = ["text", "x" * 10_000, 5, -0.0, 0.1 + 0.2, 5e-324, ago(days=3)]
        storage.record_events([event("old", *(trait("x", each) for each in values), generated=ago(days=2))])
        assert storage.clear_expired_data(DAY) == 1
        for value in values:
            assert found(storage, has("x", value)) == found(storage, has("x", value, "ge")) == []
        assert list(storage.get_traits("sample.created")) == []

    def test_message_id_of_an_expired_event_may_be_recorded_again(self, storage):
        storage.record_events([event("a", trait("x", 1), generated=ago(days=2))])
        storage.clear_expired_data(DAY)
        assert storage.record_events([event("a", trait("x", 2), generated=ago(hours=1))]).stored == 1
        assert found(storage, has("x", 2)) == ["a"]

    def test_event_types_without_events_are_deleted(self, storage):
        storage.record_events(
            [event("a", type_="gone", generated=ago(days=2)), event("b", type_="gone", generated=ago(days=3))]
        )
        storage.record_events(
            [event("c", type_="used", generated=ago(days=2)), event("d", type_="used", generated=ago(hours=1))]
        )
        storage.clear_expired_data(DAY)
        assert list(storage.get_event_types()) == ["used"]
        assert trait_names(storage, "gone") == []

    def test_event_type_of_a_future_event_stays(self, storage):
        storage.record_events([event("a", type_="planned", generated=ago(days=-5))])
        storage.clear_expired_data(0)
        assert list(storage.get_event_types()) == ["planned"]

    def test_trait_types_without_events_are_deleted(self, storage):
        """Two types of one name are independent."""
        storage.record_events(
            [
                event("a", trait("x", 1), trait("only old", 1), trait("é", "x"), generated=ago(days=40)),
                event("b", trait("x", "1"), trait("É", "x"), generated=ago(hours=1)),
            ]
        )
        storage.clear_expired_data(DAY)
        described = [TraitDescription("x", TraitType.TEXT), TraitDescription("É", TraitType.TEXT)]
        assert list(storage.get_trait_types("sample.created")) == described

    def test_similar_trait_names_are_independent(self, storage):
        """A newer event with ``X`` does not keep ``x`` of the same type."""
        names = ["x", "x ", "e\u0301", "'"]
        storage.record_events([event("a", *(trait(name, "1") for name in names), generated=ago(hours=30))])
        storage.record_events([event("b", *(trait(name, "1") for name in ("X", "é", "''")), generated=ago(hours=20))])
        storage.clear_expired_data(DAY)
        assert trait_names(storage) == ["''", "X", "é"]

    @pytest.mark.parametrize("hours", [1, 10, 23, 24, 25, 47, 49, 100])
    @pytest.mark.parametrize("reverse", [False, True])
    def test_trait_type_stays_as_long_as_its_newest_event(self, storage, hours, reverse):
        """Whatever the time between the events, and in whichever order they were recorded."""
        oldest, newest = 200 + hours, 200
        events = [event("new", trait("x", 1), generated=ago(hours=newest)), event("last", generated=ago(hours=1))]
        events.insert(0, event("old", trait("x", 1), generated=ago(hours=oldest)))
        for each in reversed(events) if reverse else events:
            storage.record_events([each])
        storage.clear_expired_data(int((newest + 0.5) * 3600))
        assert trait_names(storage) == ["x"]
        storage.clear_expired_data(int((newest - 0.5) * 3600))
        assert trait_names(storage) == []
        assert found(storage) == ["last"]

    def test_trait_type_of_only_the_newest_event_stays(self, storage):
        storage.record_events(event(f"m{i}", trait("common", 1), generated=ago(days=i)) for i in range(2, 6))
        storage.record_events([event("new", trait("rare", 1), generated=ago(hours=1))])
        storage.clear_expired_data(DAY)
        assert trait_names(storage) == ["rare"]

    def test_trait_type_of_the_oldest_remaining_event_stays(self, storage):
        storage.record_events([event("old", trait("rare", 1), generated=ago(days=50))])
        storage.record_events(event(f"m{i}", trait("common", 1), generated=ago(days=i)) for i in range(60))
        storage.clear_expired_data(51 * DAY)
        assert trait_names(storage) == ["common", "rare"]
        storage.clear_expired_data(49 * DAY)
        assert trait_names(storage) == ["common"]

    def test_deleted_names_return_with_new_events(self, storage, other):
        """Also through another connection, which cached the names before they were deleted."""
        for number, connection in enumerate((storage, other)):
            connection.record_events([event(f"old {number}", trait("x", 1), generated=ago(days=2))])
        assert storage.clear_expired_data(DAY) == 2
        assert list(other.get_event_types()) == trait_names(other) == []
        for number, connection in enumerate((other, storage)):
            connection.record_events([event(f"new {number}", trait("x", 1), generated=ago(hours=1))])
            assert list(storage.get_event_types()) == ["sample.created"]
            assert trait_names(storage) == ["x"]
        assert found(storage, event_type="sample.created") == ["new 0", "new 1"]

    def test_last_expiry_is_when_no_expired_event_was_left(self, storage, other):
        """Also if there was nothing to delete, but not while expired events remain; ``clear`` does not change it."""
        storage.record_events(event(f"{days}", generated=ago(days=days)) for days in (2, 3, 4))
        before = storage.last_expiry() or datetime.datetime.min
        storage.clear_expired_data(DAY, 2)
        assert storage.last_expiry() in (None, before)
        for max_count in (2, 2, None):
            begun = timeutils.utcnow()
            storage.clear_expired_data(DAY, max_count)
            assert before < begun <= other.last_expiry() <= timeutils.utcnow()
            before = other.last_expiry()
        storage.clear()
        assert storage.last_expiry() == before
        storage.clear_expired_data(10**15)
        assert storage.last_expiry() > before

    def test_two_expirers_and_a_writer_run_at_once(self, storage, other):
        """Each expired event is deleted and counted once, and no new event is lost."""
        storage.record_events(
            event(f"old {i}", trait(f"x{i % 10}", i), type_=f"type {i % 10}", generated=ago(days=2, seconds=i))
            for i in range(2000)
        )
        deleted, failures, expired = [], [], threading.Event()

        def expire(connection) -> None:
            while count := connection.clear_expired_data(DAY, 150):
                deleted.append(count)

        def write() -> None:
            number = 0
            while not expired.is_set() or number < 20:
                name = f"new {number}"
                other.record_events(
                    [event(name, trait(f"x{number % 10}", 1), type_=f"type {number % 10}", generated=ago(hours=1))]
                )
                number += 1
            written.append(number)

        def guarded(work, *arguments) -> None:
            try:
                work(*arguments)
            except Exception as error:
                failures.append(error)

        written: list[int] = []
        expirers = [threading.Thread(target=guarded, args=(expire, connection)) for connection in (storage, other)]
        writer = threading.Thread(target=guarded, args=(write,))
        for thread in (writer, *expirers):
            thread.start()
        for thread in expirers:
            thread.join()
        expired.set()
        writer.join()
        assert failures == []
        assert sum(deleted) + storage.clear_expired_data(DAY) == 2000
        assert len(found(storage)) == written[0]
        for number in range(10):
            assert trait_names(storage, f"type {number}") == [f"x{number}"]
        assert len(found(storage, has("x3", 1))) == len(found(storage, event_type="type 3"))

    def test_events_that_expire_after_now_stay(self, storage):
        """So a run of several calls with one ``now`` ends, however many events expire meanwhile."""
        now = timeutils.utcnow()
        storage.record_events(event(f"{hours}", generated=now - datetime.timedelta(hours=hours)) for hours in range(6))
        earlier = now - datetime.timedelta(hours=2)
        assert storage.clear_expired_data(2 * 3600, 1, now=earlier) == 1
        assert storage.clear_expired_data(2 * 3600, 10, now=earlier) == 0
        assert found(storage) == ["4", "3", "2", "1", "0"]
        assert storage.clear_expired_data(2 * 3600, now=now) == 2

    def test_expirer_run_ends_while_events_expire(self, storage, monkeypatch):
        """Events that expire during a run are left for the next one."""
        now = timeutils.utcnow()
        expire_later = (event(f"m{i:03}", generated=now - datetime.timedelta(seconds=60 - i)) for i in range(30))
        storage.record_events([event("old", generated=now - datetime.timedelta(hours=1)), *expire_later])

        class Slow:
            """A storage that deletes as slowly as events expire."""

            def drop_expired(self, *arguments, **named):
                return 0

            def clear_expired_data(self, *arguments, **named):
                calls.append(storage.clear_expired_data(*arguments, **named))
                return calls[-1]

        calls: list[int] = []
        monkeypatch.setattr(timeutils, "utcnow", lambda: now + datetime.timedelta(seconds=len(calls)))
        assert expire(Slow(), 60, 1) == 1
        assert len(found(storage)) == 30

    def test_drop_expired_deletes_expired_events_only(self, storage):
        """All of them, some or none: :meth:`clear_expired_data` deletes the rest."""
        now = timeutils.utcnow()
        storage.record_events(
            event(f"{days}", generated=now - datetime.timedelta(days=days)) for days in (400, 100, 70, 40, 20, 0)
        )
        marked = storage.last_expiry()
        dropped = storage.drop_expired(30 * DAY, now=now)
        assert storage.last_expiry() == marked
        assert len(found(storage)) == 6 - dropped
        assert storage.drop_expired(10**15, now=now) == 0
        assert dropped + storage.clear_expired_data(30 * DAY, now=now) == 4
        assert storage.drop_expired(30 * DAY, now=now) == 0
        assert found(storage) == ["20", "0"]

    @pytest.mark.parametrize("batch_size", [0, 1])
    def test_expirer_run_counts_what_is_dropped(self, storage, batch_size):
        storage.record_events(event(f"{days}", generated=ago(days=days)) for days in (400, 100, 40, 20, 0))
        assert expire(storage, 30 * DAY, batch_size) == 3
        assert found(storage) == ["20", "0"]

    def test_page_is_full_while_events_expire(self, storage, other):
        """Provided that enough events match, whatever is deleted between the queries for one page."""
        first = ago(days=3)  # A page of events of each time, so that the first query returns none.
        storage.record_events(
            event(f"m{number:04}", trait("x", "a"), generated=first + datetime.timedelta(minutes=number // 20))
            for number in range(1200)
        )
        storage.record_events(event(f"n{number:02}", trait("x", "a"), generated=ago(hours=1)) for number in range(40))
        ended = threading.Event()

        def expire_all() -> int:
            try:
                return sum(iter(lambda: other.clear_expired_data(DAY, 10), 0))
            finally:
                ended.set()

        with ThreadPoolExecutor(1) as pool:
            expired = pool.submit(expire_all)
            while not ended.is_set():
                assert len(found(storage, has("x", "a"), pagination=Page(limit=20))) == 20
            assert expired.result() == 1200

    @pytest.mark.parametrize("ttl", [0, 1, DAY])
    def test_events_of_all_years_expire(self, storage, ttl):
        storage.record_events(FAR_EVENTS)
        left = list(range(len(FAR_TIMES)))
        for number, time in enumerate(FAR_TIMES):
            try:
                now = time + datetime.timedelta(seconds=ttl)
                later = now + MICROSECOND
            except OverflowError:
                continue  # They never expire.
            assert storage.clear_expired_data(ttl, now=now) == 0
            assert storage.clear_expired_data(ttl, now=later) == 2
            left.remove(number)
            assert found(storage) == [f"{name}{each:02}" for each in left for name in "ab"]
            assert sorted(storage.get_event_types()) == sorted(f"type.{each}" for each in left)
            assert count_by_type(storage) == {f"type.{each}": 2 for each in left}
        assert left == ([len(FAR_TIMES) - 1] if ttl == 0 else [len(FAR_TIMES) - 2, len(FAR_TIMES) - 1])

    def test_expired_events_of_all_years_may_be_recorded_again(self, storage):
        for _ in range(2):
            assert storage.record_events(FAR_EVENTS).stored == 2 * len(FAR_TIMES)
            assert storage.record_events(FAR_EVENTS).duplicates == 2 * len(FAR_TIMES)
            assert storage.clear_expired_data(0, now=datetime.datetime.max) == 2 * len(FAR_TIMES) - 2
            assert storage.record_events([event("again", generated=datetime.datetime.max)]).stored == 1
            storage.clear()

    def test_names_that_never_repeat_are_deleted_with_their_events(self, storage, other):
        storage.record_events(
            event(f"m{number:04}", trait(f"name {number}", 1), generated=at(seconds=number))
            for number in range(NAME_SETS)
        )
        other.record_events([event("new", trait("name new", 1), generated=at(days=1))])
        for left in (NAME_SETS // 2, 3, 0):
            storage.clear_expired_data(0, now=at(seconds=NAME_SETS - left))
            names = [each.name for each in other.get_trait_types("sample.created")]
            assert names == sorted(["name new", *(f"name {number}" for number in range(NAME_SETS - left, NAME_SETS))])
            assert len(found(other)) == left + 1
        other.record_events([event("again", trait("name 7", 1), type_="other"), event("more", trait("name 7", 1))])
        assert [each.name for each in storage.get_trait_types("sample.created")] == ["name 7", "name new"]
        assert [each.name for each in storage.get_trait_types("other")] == ["name 7"]
