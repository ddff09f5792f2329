# SPDX-License-Identifier: Apache-2.0
"""``count_events``: how many events there are, by period and group."""

import collections
import datetime
import itertools
import random

import pytest

from panko.storage.aggregates import MAX_COUNTS, CountQuery, EventCount
from panko.storage.errors import InvalidFilter
from panko.storage.filters import EVERYTHING, EventFilter, Scope
from panko.storage.models import Trait
from tests.functional.storage.builders import (
    DAY,
    NOON,
    ago,
    at,
    count_by_type,
    event,
    has,
    in_scope,
    meets,
    owned,
    trait,
)
from tests.functional.storage.contract.far_times import FAR_EVENTS, FAR_TIMES
from tests.oracle import first_text

MINUTE, HOUR = datetime.timedelta(minutes=1), datetime.timedelta(hours=1)
FIVE = 5 * MINUTE
LONG = "x" * 100
EPOCH = datetime.datetime(1970, 1, 1)
FEW_FAR_TIMES = [datetime.datetime.min, EPOCH - datetime.timedelta(microseconds=1), EPOCH, datetime.datetime.max]
RANGES = [(None, None), (at(minutes=3), None), (None, at(minutes=32)), (at(minutes=5), at(minutes=10))]
RANGES += [(at(minutes=6, seconds=1), at(minutes=8)), (at(minutes=4), at(minutes=21, microseconds=-1))]
INTERVALS = [None, datetime.timedelta(seconds=1), 7 * MINUTE, FIVE, HOUR]
GROUPS = [None, "event_type", "project_id", "user_id", "state", "absent"]
LIMITS = [1, 3, 100]
SCOPES = [EVERYTHING, Scope("p1"), Scope("p1", "u1"), Scope("p2", unowned=True), Scope(unowned=True)]


def counted(storage, interval=None, group_by=None, limit=10, **criteria):
    return list(storage.count_events(EventFilter(**criteria), CountQuery(interval, group_by, limit)))


def total(storage, **criteria):
    return sum(each.events for each in counted(storage, **criteria))


def group_of(each, group_by):
    return each.event_type if group_by == "event_type" else group_by and first_text(each, group_by)


def begin_of(each, interval):
    if interval is None:
        return None
    whole = (each.generated - EPOCH) // interval * interval
    return EPOCH + max(whole, datetime.datetime.min - EPOCH)


def expected(events, interval=None, group_by=None, limit=10):
    """Return the expected counts, computed in Python."""
    totals = collections.Counter(group_of(each, group_by) for each in events)
    # Groups of equal size are sorted by name. SQL databases store a long project id as a hash that begins with \x01.
    names = {group: "\x01" if group == LONG else group or "" for group in totals}
    ranked = sorted(totals, key=lambda group: (-totals[group], group is None, names[group]))[:limit]
    counts = collections.Counter()
    for each in events:
        group = group_of(each, group_by)
        rank = ranked.index(group) if group in ranked else limit
        counts[begin_of(each, interval), rank] += 1
    keys = sorted(counts, key=lambda key: (key[0] or NOON, key[1]))
    return [
        EventCount(start, ranked[rank] if rank < limit else None, rank == limit, counts[start, rank])
        for start, rank in keys
    ]


def some_events(count=400):
    """Return events of several types, projects and states, within 40 minutes after noon."""
    chance = random.Random(7)
    events = []
    for number in range(count):
        project, user = chance.choice(["p1", "p1", "p2", None, "P1", LONG]), chance.choice(["u1", "u2"])
        state = chance.choice(["a", "A", "a ", "é", '"\\', "", None])
        traits = [trait("state", state)] if state is not None else [trait("state", 5), trait("other", "a")]
        generated = at(seconds=chance.choice([chance.randrange(2400), chance.randrange(8) * 300]))
        type_ = chance.choice(["t.a", "t.a", "t.b", "T.A", "t.c"])
        if project:
            traits += [trait("project_id", project), trait("user_id", user)]
        events.append(event(f"m{number:03}", *traits, type_=type_, generated=generated))
    return events


class CountEvents:
    """Behaviours of ``count_events``."""

    @pytest.mark.parametrize("group_by", GROUPS)
    @pytest.mark.parametrize("interval", INTERVALS)
    def test_counts_are_those_of_the_events(self, storage, interval, group_by):
        """Of any time, scope and number of groups, one by one and compacted."""
        events = some_events()
        for batch in (events[:30], events[30:150], events[150:]):
            storage.record_events(batch)
        # Combine each range with each scope, and one of the limits: all combinations would take too long.
        first = INTERVALS.index(interval) + GROUPS.index(group_by)
        for (a, (start, end)), (b, scope) in itertools.product(enumerate(RANGES), enumerate(SCOPES)):
            limit = LIMITS[(first + a + b) % len(LIMITS)]
            asked = [
                each
                for each in events
                if (start or NOON) <= each.generated <= (end or datetime.datetime.max) and in_scope(each, scope)
            ]
            criteria = {"start_timestamp": start, "end_timestamp": end, "scope": scope}
            counts = counted(storage, interval, group_by, limit, **criteria)
            assert counts == expected(asked, interval, group_by, limit), (start, end, scope, limit)

    @pytest.mark.parametrize(
        "filters",
        [
            (has("state", "a"),),
            (has("state", "a", "ne"),),
            (has("state", 5),),
            (has("state", "A"), has("project_id", "p1")),
            (has("state", float("nan")),),
            (has("state", "\x00"),),
        ],
    )
    @pytest.mark.parametrize("interval", [None, FIVE])
    def test_trait_filters_apply(self, storage, interval, filters):
        events = some_events(100)
        storage.record_events(events)
        asked = [each for each in events if all(meets(each, one) for one in filters)]
        assert counted(storage, interval, "event_type", traits_filter=filters) == expected(
            asked, interval, "event_type"
        )

    def test_event_types_and_message_ids_filter_the_counts(self, storage):
        storage.record_events([event("a", type_="x"), event("b", type_="y"), event("c", type_="z")])
        assert total(storage, event_type="x") == total(storage, event_type=["x", "absent"]) == 1
        assert total(storage, event_type=["x", "z"]) == 2
        assert total(storage, event_type="absent") == total(storage, event_type="\x00") == 0
        assert total(storage, message_id=["a", "b", "no"]) == 2
        assert total(storage, message_id="a", event_type="y") == 0

    @pytest.mark.parametrize("interval", [datetime.timedelta(seconds=1), FIVE, 999 * HOUR, 36525 * 24 * HOUR])
    def test_periods_cover_all_years(self, storage, interval):
        """Periods begin at multiples of the interval from 1970, earlier ones too, but none before the year 1."""
        events = [event(f"m{number}", generated=time) for number, time in enumerate(FEW_FAR_TIMES)]
        storage.record_events(events)
        assert counted(storage, interval) == expected(events, interval)
        assert counted(storage, interval, end_timestamp=EPOCH) == expected(events[:3], interval)

    def test_first_text_of_several_traits_is_the_group(self, storage):
        storage.record_events(
            [event("a", trait("x", 1), trait("x", "b"), trait("x", "a")), event("b", trait("x", "a"))]
        )
        assert counted(storage, group_by="x") == [EventCount(None, "a", False, 1), EventCount(None, "b", False, 1)]

    @pytest.mark.parametrize("name", ["absent", "X", "", "'", "%", "\x00", "\ud800", "x" * 70_000])
    def test_events_without_the_trait_form_one_group(self, storage, name):
        storage.record_events([event("a", trait("x", "v")), event("b")])
        assert counted(storage, group_by=name) == [EventCount(None, None, False, 2)]

    def test_project_that_is_not_text_is_no_group(self, storage):
        storage.record_events([event("a", trait("project_id", 5)), event("b"), owned("c", "p")])
        assert counted(storage, group_by="project_id") == [
            EventCount(None, None, False, 2),
            EventCount(None, "p", False, 1),
        ]

    def test_long_project_id_is_the_group_of_each_period(self, storage):
        storage.record_events([owned(f"m{number}", LONG, generated=at(minutes=number)) for number in range(20)])
        assert [each.group for each in counted(storage, MINUTE, "project_id")] == [LONG] * 20

    def test_text_that_looks_like_a_trait_is_no_group(self, storage):
        forged = '{"name":"x","value":"forged","type":"string"}'
        storage.record_events([event("a", trait("a", forged), trait("x", forged))])
        assert counted(storage, group_by="x") == [EventCount(None, forged, False, 1)]

    def test_empty_storage_has_no_counts(self, storage):
        for interval, group_by in itertools.product((None, FIVE, MINUTE), (None, "event_type", "project_id", "x")):
            assert counted(storage, interval, group_by) == []

    def test_duplicates_and_refused_events_are_not_counted(self, storage, other):
        storage.record_events([event("a"), event("b"), event("a")])
        other.record_events([event("a", type_="other"), event("b")])
        with pytest.raises(Exception, match="unknown dtype"):
            storage.record_events([event("c", Trait("x", 9, 1)), event("d")])
        assert counted(storage, FIVE, "event_type") == [EventCount(NOON, "sample.created", False, 3)]

    def test_expired_events_are_not_counted(self, storage, other):
        """Whether their counts were compacted before or not."""
        for number in range(10):
            storage.record_events([event(f"old {number}", generated=ago(days=2 + number), type_=f"t{number % 2}")])
            other.record_events([event(f"new {number}", generated=ago(hours=1), type_="new")])
        other.clear_expired_data(DAY, 3)
        assert total(storage) == 17
        storage.clear_expired_data(DAY)
        assert counted(other, group_by="event_type") == [EventCount(None, "new", False, 10)]
        storage.clear_expired_data(0)
        assert counted(other) == []

    def test_event_recorded_again_after_expiry_is_counted(self, storage):
        for _ in range(3):
            storage.record_events([event("a", generated=ago(days=2))])
            assert total(storage) == 1
            storage.clear_expired_data(DAY)
            assert total(storage) == 0

    def test_cleared_storage_has_no_counts(self, storage, other):
        storage.record_events(some_events(50))
        other.clear()
        assert counted(storage) == []
        storage.record_events([event("a")])
        assert total(other) == 1

    def test_many_changes_are_counted_exactly(self, storage, other):
        """Also those that are compacted meanwhile."""
        for number in range(1100):
            connection = (storage, other)[number % 2]
            connection.record_events([event(f"m{number}", type_=f"t{number % 3}", generated=at(minutes=number % 60))])
            if number % 100 == 0:
                assert total(storage) == number + 1
        assert [each.events for each in counted(storage, group_by="event_type")] == [367, 367, 366]

    def test_too_many_counts_are_refused(self, storage, monkeypatch):
        # A lower limit, since storing events for 100,000 counts takes a minute.
        monkeypatch.setattr("panko.storage.aggregates.MAX_COUNTS", 9)
        storage.record_events(event(f"m{number}", generated=at(minutes=number)) for number in range(10))
        assert len(counted(storage, 2 * MINUTE)) == 5
        with pytest.raises(InvalidFilter, match="more than 9 counts"):
            counted(storage, MINUTE)
        assert MAX_COUNTS == 100_000

    def test_events_of_all_years_are_counted(self, storage):
        storage.record_events(FAR_EVENTS)
        everything = {f"type.{number}": 2 for number in range(len(FAR_TIMES))}
        assert count_by_type(storage) == count_by_type(storage, FIVE) == everything
        odd = {name: count for name, count in everything.items() if int(name[5:]) % 2}
        assert count_by_type(storage, scope=Scope("p")) == odd
        assert count_by_type(storage, traits_filter=[has("state", "odd")]) == odd
