# SPDX-License-Identifier: Apache-2.0
"""The catalog of event types, shapes and owners stays right if ids collide, shapes are many, or rows are removed."""

import datetime
import itertools

import pytest
import sqlalchemy as sa

from panko.storage import EventFilter
from panko.storage.aggregates import CountQuery
from panko.storage.filters import Page, Scope
from panko.storage.models import Event
from panko.storage.shapes import MAX_DOCUMENT_CHARACTERS
from panko.storage.sqlalchemy import catalog, expiry
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE, OWNER, SHAPE
from tests.functional.storage.builders import DAY, ago, event, found, has, in_scope, owned, trait
from tests.functional.storage.test_tables import count_rows, without_transactions
from tests.functional.storage.workers import connected

TYPES = [f"type {number}" for number in range(30)]
SCOPES = [Scope(), Scope("p1"), Scope("p1", "u1"), Scope("p2", unowned=True), Scope(unowned=True)]


def of_many_kinds(days: int = 0) -> list[Event]:
    """Return events of 30 event types, shapes and owners, and one without any traits."""
    made = [event(f"bare {days}", generated=ago(days=days), type_="bare")]
    for number, type_ in enumerate(TYPES):
        owner = {"project_id": f"p{number % 6}", "user_id": f"u{number % 5}"} if number % 7 else {"user_id": "u1"}
        given = {**owner, f"name {number}": f"value {number}", "number": number, f"t{number % 3}": "\n"}
        traits = [trait(name, value) for name, value in given.items()]
        made.append(event(f"m{number} {days}", *traits, type_=type_, generated=ago(days=days, minutes=number)))
    return made


def assert_all_is_right(storage, events: list[Event]) -> None:
    """Check the answers to all kinds of queries."""
    given = {each.message_id: each for each in events}
    read = list(storage.get_events(EventFilter()))
    assert {each.message_id for each in read} == set(given)
    for each in read:
        assert (each.event_type, each.generated) == (
            given[each.message_id].event_type,
            given[each.message_id].generated,
        )
        assert sorted(each.traits) == sorted(given[each.message_id].traits)
    for scope in SCOPES:
        visible = [each for each in events if in_scope(each, scope)]
        assert sorted(found(storage, scope=scope)) == sorted(each.message_id for each in visible)
        assert list(storage.get_event_types(scope)) == sorted({each.event_type for each in visible})
        counts = storage.count_events(EventFilter(scope=scope), CountQuery(group_by="event_type", limit=100))
        assert sum(each.events for each in counts) == len(visible)
    for type_ in sorted({each.event_type for each in events})[::4]:
        assert_type_is_right(storage, type_, [each for each in events if each.event_type == type_])
    for number in range(0, 30, 10):
        filters = [has(f"name {number}", f"value {number}"), has("number", number, "le")]
        expected = [name for name, each in given.items() if trait("number", number) in each.traits]
        assert sorted(found(storage, *filters)) == sorted(expected)
        assert sorted(found(storage, *filters, pagination=Page(limit=100))) == sorted(expected)


def assert_type_is_right(storage, event_type: str, events: list[Event]) -> None:
    """Check the events of a type, and the names and values of their traits."""
    assert sorted(found(storage, event_type=event_type)) == sorted(each.message_id for each in events)
    names = {(each.dtype, each.name) for one in events for each in one.traits}
    described = [(each.type, each.name) for each in storage.get_trait_types(event_type)]
    assert described == sorted(names)
    values = sorted((each.name, str(each.value)) for one in events for each in one.traits)
    assert sorted((each.name, str(each.value)) for each in storage.get_traits(event_type)) == values
    for scope in SCOPES[1:]:
        expected = {each.name for one in events if in_scope(one, scope) for each in one.traits}
        assert {each.name for each in storage.get_trait_types(event_type, scope)} == expected


@pytest.fixture
def colliding(monkeypatch) -> None:
    """Derive few different ids from content, so that most of them collide; one is 0, others are negative."""
    whole = catalog.content_id
    one = whole(("p1", "u1"))
    monkeypatch.setattr(catalog, "content_id", lambda content, salt=0: (whole(content, salt) - one + 30) % 61 - 30)


@pytest.mark.usefixtures("colliding")
def test_ids_that_collide_do_no_harm(any_storage, any_url, engine) -> None:
    """Neither to the process that stored them, nor to one that stores more of the same kinds or knows none of them."""
    events = of_many_kinds()
    assert any_storage.record_events(events[:20]).stored == 20
    assert any_storage.record_events(events).stored == len(events) - 20
    assert_all_is_right(any_storage, events)
    with connected(any_url) as other:
        more = [*of_many_kinds(1), event("no kind that is known", trait("new", "x"), type_=TYPES[3])]
        assert other.record_events(more).stored == len(more)
        assert_all_is_right(other, events + more)
    more += of_many_kinds(2)
    any_storage.record_events(more)
    assert_all_is_right(any_storage, events + more)
    assert_rows_are_right(engine)
    any_storage.clear_expired_data(DAY // 2)
    assert_all_is_right(any_storage, events)
    any_storage.clear()
    assert set(count_rows(engine).values()) == {0}


def assert_rows_are_right(engine: sa.Engine) -> None:
    """Check that each event has the event type of its shape."""
    with engine.connect() as connection:
        joined = sa.join(EVENT, SHAPE, EVENT.c.shape_id == SHAPE.c.id)
        other = sa.select(EVENT.c.id).select_from(joined).where(EVENT.c.event_type_id != SHAPE.c.event_type_id)
        assert connection.execute(other).all() == []


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_a_type_may_have_more_shapes_than_are_kept(any_storage, any_url, engine, monkeypatch, batch) -> None:
    """Further events have their names in their rows, and are found, listed, counted and deleted like others."""
    monkeypatch.setattr(catalog, "MAX_SHAPES", 3)
    events = [
        Event(each.message_id, "one" if number % 3 else "other", each.generated, each.traits)
        for number, each in enumerate(of_many_kinds() + of_many_kinds(2))
    ]
    for start in range(0, len(events), batch):
        any_storage.record_events(events[start : start + batch])
    rows = count_rows(engine)
    assert rows[SHAPE.name] == 2 * (3 + 1)
    assert_all_is_right(any_storage, events)
    with connected(any_url) as other:
        assert_all_is_right(other, events)
        more = [Event(f"{each.message_id} again", each.event_type, each.generated, each.traits) for each in events]
        other.record_events(more)
        assert_all_is_right(other, events + more)
    assert count_rows(engine)[SHAPE.name] == rows[SHAPE.name]
    assert any_storage.clear_expired_data(DAY) == len(events)
    left = [each for each in events + more if each.generated > ago(days=1)]
    assert_all_is_right(any_storage, left)
    any_storage.clear()
    assert set(count_rows(engine).values()) == {0}


def test_a_shape_beyond_the_size_of_a_row_is_kept_with_its_events(any_storage, engine) -> None:
    names = [f"{number:05}{'n' * 250}" for number in range(MAX_DOCUMENT_CHARACTERS // 250)]
    large = [owned(f"m{n}", "p", generated=ago(days=n)) for n in range(2)]
    large = [
        Event(
            each.message_id,
            "t",
            each.generated,
            [*each.traits, *(trait(name, number) for number, name in enumerate(names))],
        )
        for each in large
    ]
    any_storage.record_events(large)
    any_storage.record_events([event("small", trait("x", 1), type_="t", generated=ago(days=3))])
    assert count_rows(engine)[SHAPE.name] == 2
    with engine.connect() as connection:
        assert connection.scalars(sa.select(SHAPE.c.traits)).all().count(None) == 1
    assert found(any_storage, has(names[-1], len(names) - 1), scope=Scope("p")) == ["m1", "m0"]
    assert len(list(any_storage.get_trait_types("t"))) == len(names) + 2
    read = {each.message_id: each for each in any_storage.get_events(EventFilter())}
    for each in large:
        assert sorted(read[each.message_id].traits) == sorted(each.traits)
    any_storage.clear_expired_data(DAY // 2)
    assert found(any_storage) == ["m0"]
    any_storage.clear()
    assert set(count_rows(engine).values()) == {0}


@pytest.mark.parametrize("again", ["all", "other owner", "other shape", "other type"])
def test_rows_that_another_process_removed_are_made_again(any_storage, any_url, engine, again) -> None:
    """A writer whose rows of the catalog were removed meanwhile stores its events all the same, each under its own."""
    old, kept = (
        owned("old", "p", "u", type_="a", generated=ago(days=2)),
        owned("kept", "q", "v", type_="b", generated=ago(hours=1)),
    )
    any_storage.record_events([old, kept])
    beside = {
        "all": [],
        "other owner": [owned("new", "r", "u", type_="a")],
        "other shape": [event("new", trait("project_id", "p"), trait("user_id", "u"), trait("x", 1), type_="a")],
        "other type": [owned("new", "p", "u", type_="c")],
    }[again]
    with connected(any_url) as other:
        assert other.clear_expired_data(DAY) == 1
        other.record_events(beside)
        names = [each.message_id for each in beside]
        assert sorted(found(other)) == sorted(["kept", *names])
        stored = any_storage.record_events([owned("same kind", "p", "u", type_="a"), owned("m2", "q", "v", type_="b")])
        assert stored.stored == 2
        for storage in (any_storage, other):
            read = {each.message_id: each for each in storage.get_events(EventFilter())}
            assert set(read) == {"kept", "same kind", "m2", *names}
            assert read["same kind"].event_type == "a"
            assert {each.value for each in read["same kind"].traits} == {"p", "u"}
            assert "same kind" in found(storage, has("project_id", "p"), scope=Scope("p", "u"))
            assert list(storage.get_event_types(Scope("p", "u")))[:1] == ["a"]
    assert_rows_are_right(engine)


def test_readers_know_shapes_that_were_removed_and_came_again(any_storage, any_url) -> None:
    """An id never means another thing, so that what a process remembers of it stays right."""
    any_storage.record_events([owned("a", "p", type_="a", generated=ago(days=2))])
    with connected(any_url) as other:
        assert [each.event_type for each in other.get_events(EventFilter())] == ["a"]
        any_storage.clear()
        any_storage.record_events([owned("b", "p", type_="b"), owned("a2", "q", type_="a")])
        assert {each.message_id: each.event_type for each in other.get_events(EventFilter())} == {"a2": "a", "b": "b"}
        assert list(other.get_event_types(Scope("q"))) == ["a"]


def test_what_is_in_use_is_not_removed(any_storage, engine) -> None:
    events = of_many_kinds()
    any_storage.record_events(events)
    rows = count_rows(engine)
    any_storage.record_events(of_many_kinds(2))
    any_storage.record_events([owned("only one", "none else's", type_="rare", generated=ago(days=2))])
    any_storage.clear_expired_data(DAY)
    assert without_transactions(count_rows(engine)) == without_transactions(rows)
    assert_all_is_right(any_storage, events)


@pytest.mark.parametrize("rows", [100, 250])
def test_unused_rows_are_removed_however_many(any_storage, engine, monkeypatch, rows) -> None:
    """In more than one transaction, those that were found by more than one query."""
    monkeypatch.setattr(expiry, "MAX_SCANNED_ROWS", 40)
    monkeypatch.setattr(catalog, "STATEMENT_ROWS", 40)
    any_storage.record_events(owned(f"m{n}", f"p{n}", type_=f"t{n}", generated=ago(days=2)) for n in range(rows))
    any_storage.record_events([owned("kept", "p1", type_="t1", generated=ago(hours=1))])
    any_storage.clear_expired_data(DAY)
    left = count_rows(engine)
    assert [left[table.name] for table in (EVENT, EVENT_TYPE, SHAPE, OWNER)] == [1] * 4


def test_what_a_process_remembers_is_bounded(any_storage, monkeypatch) -> None:
    """And it finds again what it has forgotten."""
    limit = 20_000
    monkeypatch.setattr(catalog, "MAX_CACHE_BYTES", limit)
    events = [owned(f"m{n}", f"p{n}", f"u{n}", type_=f"t{n}") for n in range(100)]
    events += [event(f"n{n}", trait(f"name {n}", n), type_="many shapes") for n in range(100)]
    remembered = any_storage._catalog
    for _, batch in itertools.groupby(enumerate(events), lambda each: each[0] // 10):
        any_storage.record_events([each for _, each in batch])
        assert remembered._known.size <= limit + 10 * 3000
        assert len(remembered._known.shapes) < 60
    for name in (f"t{n}" for n in range(100)):
        assert len(found(any_storage, event_type=name)) == 1
        assert remembered._size <= limit
    assert len(found(any_storage)) == 200
    again = [Event(f"{each.message_id} again", each.event_type, each.generated, each.traits) for each in events]
    assert any_storage.record_events(again).stored == 200
    assert found(any_storage, event_type="many shapes") == sorted(
        each.message_id for each in events[100:] + again[100:]
    )


def test_ids_of_deleted_events_are_not_used_again(any_storage, engine) -> None:
    """A client that continues after an id would miss an event that reused it."""

    def newest() -> int:
        with engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.max(EVENT.c.id)))

    for storage_clears in (any_storage.clear, lambda: any_storage.clear_expired_data(-DAY)):
        any_storage.record_events(event(f"m{number}") for number in range(10))
        before = newest()
        storage_clears()
        any_storage.record_events([event("after")])
        assert newest() > before


def test_ids_of_a_transaction_follow_each_other(any_storage, engine) -> None:
    """In the order in which the events were given, whenever they were generated."""
    for call in range(3):
        names = [f"{call} {number}" for number in (5, 3, 9, 1)]
        any_storage.record_events(event(name, generated=ago(hours=int(name[-1]))) for name in names)
        with engine.connect() as connection:
            of_call = EVENT.c.message_id.like(f"{call} %")
            rows = connection.execute(
                sa.select(EVENT.c.id, EVENT.c.message_id).where(of_call).order_by(EVENT.c.id)
            ).all()
        assert [row.message_id for row in rows] == names
        assert rows[-1].id - rows[0].id == 3


@pytest.mark.parametrize("column", ["shape_id", "owner_id"])
def test_databases_refuse_events_without_their_rows_of_the_catalog(any_storage, column) -> None:
    """On each connection: SQLite needs a pragma for that."""
    any_storage.record_events([event("a")])
    with any_storage._engine.connect() as one, any_storage._engine.connect() as other:
        for connection in (one, other):
            with connection.begin() as transaction:
                statement = sa.update(EVENT).values({column: 42})
                with pytest.raises(Exception, match=r"(?i)foreign key"):
                    connection.execute(statement)
                transaction.rollback()
            with connection.begin() as transaction:
                with pytest.raises(Exception, match=r"(?i)foreign key"):
                    connection.execute(sa.delete(SHAPE if column == "shape_id" else OWNER))
                transaction.rollback()
    assert found(any_storage) == ["a"]


def test_counts_by_project_know_long_ids_of_open_shapes(any_storage, monkeypatch) -> None:
    monkeypatch.setattr(catalog, "MAX_SHAPES", 0)
    events = [owned(f"m{n}", f"{'p' * 100}{n % 3}", type_="t") for n in range(7)]
    any_storage.record_events([*events, event("none", type_="t")])
    counts = any_storage.count_events(EventFilter(), CountQuery(datetime.timedelta(days=1), "project_id"))
    assert {each.group: each.events for each in counts} == {f"{'p' * 100}{n}": 3 - (n > 0) for n in range(3)} | {
        None: 1
    }
