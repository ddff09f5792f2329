# SPDX-License-Identifier: Apache-2.0
"""What goes when it is old, and what stays."""

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from oslo_utils import timeutils

from panko.cmd.expirer import expire
from panko.storage.filters import Page
from panko.storage.models import TraitDescription, TraitType
from tests.functional.storage.builders import DAY, ago, event, found, has, trait


def trait_names(storage, event_type: str = "sample.created") -> list[str]:
    """Return the names of the traits that events of a type have."""
    return [each.name for each in storage.get_trait_types(event_type)]


class Expiry:
    """Behaviours of ``clear_expired_data``."""

    def test_only_older_events_go(self, storage):
        storage.record_events(event(f"{hours}", generated=ago(hours=hours)) for hours in (1, 5, 7, 30, -5))
        assert storage.clear_expired_data(6 * 3600) == 2
        assert found(storage) == ["5", "1", "-5"]

    def test_nothing_expired_is_nothing_deleted(self, storage):
        assert storage.clear_expired_data(0) == 0
        storage.record_events([event("a", generated=ago(hours=1))])
        assert storage.clear_expired_data(DAY) == 0
        assert found(storage) == ["a"]

    def test_oldest_go_first(self, storage):
        storage.record_events(event(f"{days}", generated=ago(days=days)) for days in (3, 5, 2, 4, 6))
        assert storage.clear_expired_data(DAY, max_count=2) == 2
        assert found(storage) == ["4", "3", "2"]
        assert storage.clear_expired_data(DAY, 2) == 2
        assert storage.clear_expired_data(DAY, 2) == 1
        assert storage.clear_expired_data(DAY, 2) == 0

    @pytest.mark.parametrize("unbounded", [None, 0])
    def test_all_expired_go_and_are_counted(self, storage, unbounded):
        """More than a transaction deletes at a time."""
        storage.record_events(event(f"m{i}", trait("x", i), generated=ago(days=2, seconds=i)) for i in range(2300))
        storage.record_events([event("new", trait("x", -1), generated=ago(hours=1))])
        assert storage.clear_expired_data(DAY, unbounded) == 2300
        assert found(storage) == ["new"]

    def test_max_count_may_be_more_than_a_transaction_deletes(self, storage):
        storage.record_events(event(f"m{i:04}", generated=ago(days=2, seconds=-i)) for i in range(2300))
        assert storage.clear_expired_data(DAY, 2100) == 2100
        assert found(storage) == [f"m{i:04}" for i in range(2100, 2300)]

    def test_time_to_live_longer_than_time_itself_deletes_nothing(self, storage):
        storage.record_events([event("a", generated=ago(days=700_000))])
        for ttl in (10**11, 10**15, 2**63):
            assert storage.clear_expired_data(ttl) == 0
        assert found(storage) == ["a"]

    def test_what_is_gone_is_found_by_nothing(self, storage):
        values = ["text", "x" * 10_000, 5, -0.0, 0.1 + 0.2, 5e-324, ago(days=3)]
        storage.record_events([event("old", *(trait("x", each) for each in values), generated=ago(days=2))])
        assert storage.clear_expired_data(DAY) == 1
        for value in values:
            assert found(storage, has("x", value)) == found(storage, has("x", value, "ge")) == []
        assert list(storage.get_traits("sample.created")) == []

    def test_message_id_of_an_expired_event_is_free(self, storage):
        storage.record_events([event("a", trait("x", 1), generated=ago(days=2))])
        storage.clear_expired_data(DAY)
        assert storage.record_events([event("a", trait("x", 2), generated=ago(hours=1))]).stored == 1
        assert found(storage, has("x", 2)) == ["a"]

    def test_event_types_without_events_go(self, storage):
        storage.record_events(
            [event("a", type_="gone", generated=ago(days=2)), event("b", type_="gone", generated=ago(days=3))]
        )
        storage.record_events(
            [event("c", type_="used", generated=ago(days=2)), event("d", type_="used", generated=ago(hours=1))]
        )
        storage.clear_expired_data(DAY)
        assert list(storage.get_event_types()) == ["used"]
        assert trait_names(storage, "gone") == []

    def test_event_type_of_a_later_event_stays(self, storage):
        storage.record_events([event("a", type_="planned", generated=ago(days=-5))])
        storage.clear_expired_data(0)
        assert list(storage.get_event_types()) == ["planned"]

    def test_traits_that_no_event_has_go(self, storage):
        """Of one name and two types, each goes by itself."""
        storage.record_events(
            [
                event("a", trait("x", 1), trait("only old", 1), trait("é", "x"), generated=ago(days=40)),
                event("b", trait("x", "1"), trait("É", "x"), generated=ago(hours=1)),
            ]
        )
        storage.clear_expired_data(DAY)
        described = [TraitDescription("x", TraitType.TEXT), TraitDescription("É", TraitType.TEXT)]
        assert list(storage.get_trait_types("sample.created")) == described

    def test_traits_that_only_look_alike_go(self, storage):
        """An event of today with ``X`` does not keep ``x`` of the same type."""
        names = ["x", "x ", "e\u0301", "'"]
        storage.record_events([event("a", *(trait(name, "1") for name in names), generated=ago(hours=30))])
        storage.record_events([event("b", *(trait(name, "1") for name in ("X", "é", "''")), generated=ago(hours=20))])
        storage.clear_expired_data(DAY)
        assert trait_names(storage) == ["''", "X", "é"]

    @pytest.mark.parametrize("hours", [1, 10, 23, 24, 25, 47, 49, 100])
    @pytest.mark.parametrize("reverse", [False, True])
    def test_trait_stays_as_long_as_its_newest_event(self, storage, hours, reverse):
        """Whatever lies between the events, and in whichever order they were recorded."""
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

    def test_trait_of_the_newest_event_alone_stays(self, storage):
        storage.record_events(event(f"m{i}", trait("common", 1), generated=ago(days=i)) for i in range(2, 6))
        storage.record_events([event("new", trait("rare", 1), generated=ago(hours=1))])
        storage.clear_expired_data(DAY)
        assert trait_names(storage) == ["rare"]

    def test_trait_of_the_oldest_event_left_stays(self, storage):
        storage.record_events([event("old", trait("rare", 1), generated=ago(days=50))])
        storage.record_events(event(f"m{i}", trait("common", 1), generated=ago(days=i)) for i in range(60))
        storage.clear_expired_data(51 * DAY)
        assert trait_names(storage) == ["common", "rare"]
        storage.clear_expired_data(49 * DAY)
        assert trait_names(storage) == ["common"]

    def test_names_come_back_with_new_events(self, storage, other):
        """Also by another connection, which knew the names before they went."""
        for number, connection in enumerate((storage, other)):
            connection.record_events([event(f"old {number}", trait("x", 1), generated=ago(days=2))])
        assert storage.clear_expired_data(DAY) == 2
        assert list(other.get_event_types()) == trait_names(other) == []
        for number, connection in enumerate((other, storage)):
            connection.record_events([event(f"new {number}", trait("x", 1), generated=ago(hours=1))])
            assert list(storage.get_event_types()) == ["sample.created"]
            assert trait_names(storage) == ["x"]
        assert found(storage, event_type="sample.created") == ["new 0", "new 1"]

    def test_last_expiry_is_when_nothing_expired_was_left(self, storage, other):
        """Whether or not there was anything to delete, and not while there still is; clearing does not change it."""
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

    def test_two_expirers_and_a_writer_at_once(self, storage, other):
        """Each expired event is deleted and counted once, and nothing that is written is lost."""
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

    def test_what_expires_after_the_given_time_stays(self, storage):
        """So that a run of several calls ends, however many events expire meanwhile."""
        now = timeutils.utcnow()
        storage.record_events(event(f"{hours}", generated=now - datetime.timedelta(hours=hours)) for hours in range(6))
        earlier = now - datetime.timedelta(hours=2)
        assert storage.clear_expired_data(2 * 3600, 1, now=earlier) == 1
        assert storage.clear_expired_data(2 * 3600, 10, now=earlier) == 0
        assert found(storage) == ["4", "3", "2", "1", "0"]
        assert storage.clear_expired_data(2 * 3600, now=now) == 2

    def test_run_of_the_expirer_ends_while_events_expire(self, storage, monkeypatch):
        """Events that are older than the limit when they come may go, those that become so are for the next run."""
        now = timeutils.utcnow()
        expire_later = (event(f"m{i:03}", generated=now - datetime.timedelta(seconds=60 - i)) for i in range(30))
        storage.record_events([event("old", generated=now - datetime.timedelta(hours=1)), *expire_later])

        class Slow:
            """Lets as much time pass with each batch as makes a batch expire."""

            def clear_expired_data(self, *arguments, **named):
                calls.append(storage.clear_expired_data(*arguments, **named))
                return calls[-1]

        calls: list[int] = []
        monkeypatch.setattr(timeutils, "utcnow", lambda: now + datetime.timedelta(seconds=len(calls)))
        assert expire(Slow(), 60, 1) == 1
        assert len(found(storage)) == 30

    def test_page_is_full_though_events_on_its_way_expire(self, storage, other):
        """As long as there are enough events, whatever an expirer deletes between the looks at them."""
        first = ago(days=3)  # Twenty events of each time, a page, so that none is found at the first look.
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
