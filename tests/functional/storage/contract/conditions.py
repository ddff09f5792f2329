# SPDX-License-Identifier: Apache-2.0
"""Trees of conditions: And, Or and Not of comparisons, with lists, patterns and texts that a value contains."""

import datetime
import itertools
import random
import time
import tracemalloc
from collections import Counter

import pytest

from panko.storage import EventFilter
from panko.storage.aggregates import CountQuery
from panko.storage.base import Connection
from panko.storage.conditions import And, Comparison, Condition, Not, Or, Pattern, Subject
from panko.storage.errors import ScanTimeout
from panko.storage.feed import FeedRequest, Start
from panko.storage.filters import Page, Scope, find_last
from panko.storage.models import Event, TraitType
from tests.functional.storage.builders import at, event, found, in_scope, ordered, owned, trait, walk
from tests.functional.storage.plain_conditions import TEXTS, RandomConditions, meets_condition, random_cases

TEXT, INTEGER, FLOAT = TraitType.TEXT, TraitType.INTEGER, TraitType.FLOAT
SORTS = [(), (("generated", "desc"),), (("generated", "desc"), ("message_id", "asc")), (("message_id", "desc"),)]
OLDEST = (("generated", "asc"),)


def meeting(events: list[Event], condition: Condition) -> list[Event]:
    """Return the events that meet a condition, as plain Python decides."""
    return [each for each in events if meets_condition(each, condition)]


def word(text: str) -> Condition:
    """Return the condition that a bare word of the filter language stands for."""
    subjects = (Subject.EVENT_TYPE, Subject.MESSAGE_ID, Subject.ANY_TRAIT)
    return Or(tuple(Comparison(subject, TEXT, "contains", (text,)) for subject in subjects))


def number(name: str, value: int) -> Condition:
    """Return the condition that ``name = value`` of the filter language stands for."""
    kinds = ((INTEGER, value), (FLOAT, float(value)), (TEXT, str(value)))
    return Or(tuple(Comparison(name, type_, "eq", (each,)) for type_, each in kinds))


def type_is(*values: str | Pattern) -> Condition:
    """Return the condition that the event type has or matches one of some values."""
    return Comparison(Subject.EVENT_TYPE, TEXT, "eq", values)


class SlowPattern(Pattern):
    """A pattern that no text matches, after a while."""

    compared = 0

    def matches(self, text: str) -> bool:
        SlowPattern.compared += 1
        time.sleep(0.02)
        return False


class Conditions:
    """Behaviours of conditions of any form."""

    def test_random_conditions_are_met_as_in_python(self, storage):
        events, conditions = random_cases(16, 160, 120)
        storage.record_events(events)
        for index, condition in enumerate(conditions):
            sort = SORTS[index % len(SORTS)]
            expected = ordered(meeting(events, condition), sort)
            assert found(storage, condition=condition, pagination=Page(sort=sort)) == expected, condition

    def test_random_conditions_are_met_page_by_page(self, storage):
        """With every other condition of a filter, in a scope, and up to the place where the page ends."""
        events, conditions = random_cases(17, 120, 40)
        storage.record_events(events)
        scopes = [Scope(), Scope(project_id="web"), Scope(project_id="a", unowned=True), Scope(unowned=True)]
        for index, condition in enumerate(conditions):
            sort, scope = SORTS[index % len(SORTS)], scopes[index // 4 % len(scopes)]
            more = {"scope": scope, "start_timestamp": at(minutes=1)} if index % 3 else {"scope": scope}
            inside = [each for each in events if in_scope(each, scope) and (index % 3 == 0 or each.generated > at())]
            expected = ordered(meeting(inside, condition), sort)
            assert walk(storage, 7, sort, condition=condition, **more) == expected, condition
            event_filter = EventFilter(condition=condition, **more)
            for limit in (0, 3, None):
                page = Page(limit, sort=sort)
                end = storage.find_end(event_filter, page)
                last, has_more = find_last(expected, limit)
                assert (end.last and end.last.message_id, end.more) == (last, has_more), condition
                if end.last:
                    until = Page(sort=sort, until=end.last)
                    assert [each.message_id for each in storage.get_events(event_filter, until)] == expected[:limit]

    @pytest.mark.parametrize("text", TEXTS, ids=ascii)
    def test_texts_are_found_whatever_they_contain(self, storage, text):
        """Escaped characters, wildcards of databases, and letters that they would fold."""
        events = [
            *(event(f"m{i:03}", trait("x", value), generated=at(seconds=i)) for i, value in enumerate(TEXTS)),
            *(event(f"n{i:03}", trait("x", f"<{value}>"), generated=at(hours=i)) for i, value in enumerate(TEXTS)),
        ]
        storage.record_events(events)
        for condition in (
            Comparison("x", TEXT, "eq", (text,)),
            Comparison("x", TEXT, "contains", (text,)),
            Comparison("x", TEXT, "eq", (Pattern((text, "")),)),
            Comparison("x", TEXT, "eq", (Pattern(("", text)), Pattern(("<", text, ">")))),
            Comparison("x", TEXT, "ne", (Pattern(("", text, "")),)),
            Comparison(Subject.ANY_TRAIT, TEXT, "contains", (text,)),
            word(text),
        ):
            expected = ordered(meeting(events, condition), ())
            assert found(storage, condition=condition) == expected, condition
            newest = Page(5, sort=(("generated", "desc"),))
            assert found(storage, condition=condition, pagination=newest) == expected[::-1][:5]

    def test_numbers_are_found_in_traits_of_every_type(self, storage):
        """Also in types that no event had a moment ago."""
        condition = number("port", 80)
        for given in (80, "80", 80.0, [80, "no"], [8, "80"]):
            values = given if isinstance(given, list) else [given]
            storage.record_events([event(repr(given), *(trait("port", value) for value in values))])
            assert repr(given) in found(storage, condition=condition)
        assert len(found(storage, condition=condition)) == 5
        assert found(storage, condition=Not(condition)) == []

    def test_type_of_trait_that_is_new_is_found_at_once(self, storage, other):
        """By a connection that has looked for the trait before, and of many other events."""
        condition = Or((Comparison("load", INTEGER, "eq", (3,)), Comparison("load", FLOAT, "eq", (3.0,))))
        storage.record_events(event(f"m{i:03}", trait("load", i), generated=at(hours=i)) for i in range(400))
        assert found(other, condition=condition) == ["m003"]
        storage.record_events([event("f", trait("load", 3.0), generated=at(hours=99))])
        assert found(other, condition=condition) == ["m003", "f"]

    def test_numbers_are_found_in_events_that_have_very_many_traits(self, storage):
        """Some drivers store their names in another way."""
        many = [trait(f"{number:03}" + "x" * 250, "v") for number in range(280)]
        storage.record_events(event(f"m{i:03}", trait("port", i), generated=at(hours=i)) for i in range(300))
        storage.record_events([event("many", *many, trait("port", 80.0)), event("text", *many, trait("port", "80"))])
        assert found(storage, condition=number("port", 80)) == ["many", "text", "m080"]
        assert found(storage, condition=Not(number("port", 80)), pagination=Page(2)) == ["m000", "m001"]

    def test_several_names_may_be_looked_for_beside_others(self, storage):
        events = [
            event(f"m{i:04}", trait("x", f"v{i}"), trait("n", i), trait("s", "ab"[i % 2]), generated=at(minutes=5 * i))
            for i in range(700)
        ]
        storage.record_events(events)
        rare = Comparison("x", TEXT, "eq", ("v7", "v350", "v699", "none"))
        few = Or((rare, Comparison("n", INTEGER, "eq", (9, 640))))
        odd = Comparison("s", TEXT, "eq", ("b",))
        conditions = [
            rare,
            few,
            And((few, odd)),
            And((few, Not(odd))),
            Or((few, And((rare, odd)))),
            Not(Or((few, odd))),
        ]
        for condition, sort in itertools.product(conditions, SORTS):
            expected = ordered(meeting(events, condition), sort)
            assert found(storage, condition=condition, pagination=Page(sort=sort)) == expected
            assert found(storage, condition=condition, pagination=Page(2, sort=sort)) == expected[:2]

    def test_event_types_match_patterns(self, storage):
        names = ["a.b", "a.c", "a", "A.b", "b.a", "a.%", "a_b", "é.b"]
        events = [event(f"{name} {i}", type_=name, generated=at(seconds=i)) for name in names for i in range(3)]
        storage.record_events(events)
        for condition in (
            type_is(Pattern(("a.", ""))),
            type_is(Pattern(("", ".b")), "a"),
            type_is(Pattern(("", "%", ""))),
            Comparison(Subject.EVENT_TYPE, TEXT, "ne", (Pattern(("a", "")), "b.a")),
            Comparison(Subject.EVENT_TYPE, TEXT, "contains", ("A",)),
            Not(type_is(Pattern(("", "")))),
            Not(type_is("a.b", "a.c")),
            type_is("nobody's"),
        ):
            for sort in SORTS:
                expected = ordered(meeting(events, condition), sort)
                assert found(storage, condition=condition, pagination=Page(sort=sort)) == expected, condition
                assert walk(storage, 2, sort, condition=condition) == expected, condition
        storage.record_events([event("new", type_="a.new")])
        assert "new" in found(storage, condition=type_is(Pattern(("a.", ""))))
        assert "new" not in found(storage, condition=Not(type_is(Pattern(("a.", "")))))

    def test_two_hundred_event_types_match_a_pattern(self, storage):
        events = [
            event(f"m{i:04}", type_=f"t{i % 211}.{'ab'[i % 2]}", generated=at(seconds=i // 2)) for i in range(1100)
        ]
        storage.record_events(events)
        for condition in (type_is(Pattern(("t", ""))), type_is(Pattern(("t1", "a"))), type_is(Pattern(("t7", "")))):
            for sort in SORTS:
                expected = ordered(meeting(events, condition), sort)
                for limit in (3, 100, None):
                    assert found(storage, condition=condition, pagination=Page(limit, sort=sort)) == expected[:limit]
                assert walk(storage, 97, sort, condition=condition)[:300] == expected[:300]

    def test_more_event_types_than_a_statement_has_parts_match_a_pattern(self, storage):
        """SQLite has at most 500 in one."""
        events = [event(f"m{i:03}", type_=f"t{i:03}", generated=at(seconds=i)) for i in range(520)]
        storage.record_events([*events, event("other", generated=at(hours=1))])
        for sort, expected in ((OLDEST, "m000"), ((("generated", "desc"),), "m519")):
            page = Page(1, sort=sort)
            assert found(storage, condition=type_is(Pattern(("t", ""))), pagination=page) == [expected]

    def test_counts_are_of_the_events_that_meet_a_condition(self, storage):
        events, conditions = random_cases(18, 120, 30)
        storage.record_events(events)
        prefix = type_is(Pattern(("compute.", "")))
        for index, condition in enumerate([prefix, And((prefix, word("web"))), Not(prefix), *conditions]):
            expected = meeting(events, condition)
            group_by = (None, "event_type", "project_id", "x")[index % 4]
            interval = datetime.timedelta(minutes=2) if index % 3 == 0 else None
            counts = storage.count_events(EventFilter(condition=condition), CountQuery(interval, group_by, 100))
            groups = Counter()
            for each in expected:
                own = [t.value for t in each.traits if t.name == group_by and t.dtype is TEXT]
                group = each.event_type if group_by == "event_type" else own[0] if own else None
                start = at(minutes=each.generated.minute // 2 * 2) if interval else None
                groups[start, group] += 1
            assert {(each.start, each.group): each.events for each in counts} == groups, condition

    def test_values_are_of_the_newest_events_that_meet_a_condition(self, storage):
        events, conditions = random_cases(19, 120, 20)
        storage.record_events(events)
        for condition in conditions:
            newest = ordered(meeting(events, condition), (("generated", "desc"),))[:50]
            chosen = [each for each in events if each.message_id in newest]
            expected = Counter(
                (own.dtype, own.value) for each in chosen for own in {t for t in each.traits if t.name == "x"}
            )
            values = storage.get_trait_values("x", EventFilter(condition=condition), 50)
            assert values.events == len(newest)
            assert {(each.type, each.value): each.count for each in values.values} == expected, condition

    def test_feed_has_the_events_that_meet_a_condition(self, storage):
        events, conditions = random_cases(20, 100, 20)
        storage.record_events(events)
        for condition in conditions:
            expected = {each.message_id for each in meeting(events, condition)}
            (page,) = storage.read_feed([FeedRequest(Start.OLDEST, EventFilter(condition=condition), 100)])
            event_filter = EventFilter(message_id=[each.message_id for each in events], condition=condition)
            assert len(page.events) == len(expected), condition
            assert set(found(storage, condition=condition)) == expected
            assert {each.message_id for each in storage.get_events(event_filter)} == expected

    def test_documents_are_those_of_the_events_that_meet_a_condition(self, storage):
        """Also if few of many do, so that their notifications are read afterwards."""
        events = [
            event(f"m{i:04}", trait("f", i / 8), raw={"text": f"{i} " + "x" * (9000 if i % 50 == 0 else 9)})
            for i in range(600)
        ]
        storage.record_events(events)
        for few in (Comparison("f", FLOAT, "lt", (1.0,)), Not(Comparison("f", FLOAT, "gt", (1.0,)))):
            expected = meeting(events, few)
            assert list(storage.get_events(EventFilter(condition=few))) == expected
            documents = list(storage.get_documents(EventFilter(condition=few)))
            assert documents == list(storage.get_documents(EventFilter(message_id=[e.message_id for e in expected])))

    def test_scan_ends_with_its_budget(self, storage):
        """The time that the reader takes is its own."""
        storage.record_events(
            owned(f"m{i:04}", "p", generated=at(seconds=i), type_=f"t.{i % 3}", raw={"n": i}) for i in range(900)
        )
        hopeless = [Not(word("m")), And((word("m"), word("nowhere"))), Comparison("x", FLOAT, "lt", (0.0,))]
        for condition in hopeless:
            event_filter = EventFilter(condition=condition, scan_seconds=0)
            for sort in (OLDEST, (("generated", "desc"),)):
                with pytest.raises(ScanTimeout, match="Narrow the time range"):
                    list(storage.get_events(event_filter, Page(10, sort=sort)))
            with pytest.raises(ScanTimeout):
                storage.find_end(event_filter, Page(10))
            with pytest.raises(ScanTimeout):
                list(storage.count_events(event_filter, CountQuery(None, "user_id", 10)))
            with pytest.raises(ScanTimeout):
                storage.get_trait_values("x", event_filter, 10)
            patient = EventFilter(condition=condition, scan_seconds=60)
            assert list(storage.get_events(patient)) == []

    def test_scan_ends_within_a_batch_of_slow_events(self, storage):
        """All events are read by one statement."""
        storage.record_events(event(f"m{i:02}", trait("x", f"v{i}"), raw={"n": i}) for i in range(90))
        slow = Comparison("x", TEXT, "eq", (SlowPattern(("v", "")),))
        for condition in (slow, Not(slow)):
            for read in (
                lambda event_filter: list(storage.get_events(event_filter, Page(1000))),
                lambda event_filter: storage.find_end(event_filter, Page(1000)),
                lambda event_filter: list(storage.count_events(event_filter, CountQuery(None, "x", 10))),
                lambda event_filter: storage.get_trait_values("x", event_filter, 1000),
            ):
                SlowPattern.compared = 0
                with pytest.raises(ScanTimeout):
                    read(EventFilter(condition=condition, scan_seconds=0.2))
                assert SlowPattern.compared <= 11

    def test_large_notifications_of_other_events_are_not_read(self, storage):
        """Only their traits decide whether they meet a condition."""
        drawn = random.Random(22)
        storage.record_events(
            event(f"m{i:02}", trait("f", i / 8), trait("x", "v"), raw={"text": drawn.randbytes(100_000).hex()})
            for i in range(60)
        )
        few, same = Not(Comparison("f", FLOAT, "ge", (0.1,))), Comparison("x", TEXT, "eq", ("v",))
        for condition in (few, And((same, few)), And((Comparison("x", TEXT, "contains", ("V",)), few))):
            list(storage.get_documents(EventFilter(condition=condition)))
            tracemalloc.start()
            try:
                documents = list(storage.get_documents(EventFilter(condition=condition)))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert len(documents) == 1
            # The notifications of all would be 6 MB or more.
            assert peak < 3_000_000, condition

    def test_conditions_may_be_many_or_deep(self, storage):
        events = [event(f"m{i:03}", trait("x", f"v{i}"), trait("n", i)) for i in range(60)]
        storage.record_events(events)
        names = Or(tuple(Comparison("x", TEXT, "eq", (f"v{i}",)) for i in range(0, 1000, 2)))
        texts = Or(tuple(Comparison("x", TEXT, "contains", (f"V{i}",)) for i in range(300)))
        ranges = And(tuple(Not(Comparison("n", INTEGER, "eq", (i,))) for i in range(50)))
        deep: Condition = Comparison("x", TEXT, "eq", ("v4",))
        for i in range(40):
            deep = Or((And((deep, Comparison("n", INTEGER, "ge", (0,)))), Comparison("n", INTEGER, "eq", (i,))))
        for condition in (names, texts, ranges, deep, And((names, texts, ranges))):
            assert found(storage, condition=condition) == ordered(meeting(events, condition), ())

    def test_drivers_own_search_agrees_with_the_plain_one(self, storage):
        """The base class finds the end of a page in another way."""
        made = RandomConditions(21)
        storage.record_events(made.events(60))
        for _ in range(20):
            event_filter, page = EventFilter(condition=made.condition()), Page(5, sort=SORTS[1])
            assert storage.find_end(event_filter, page) == Connection.find_end(storage, event_filter, page)
