# SPDX-License-Identifier: Apache-2.0
"""Tests of the queries that are kept: their memory does not grow with the variety of long filters."""

import gc
import itertools
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from panko import service
from panko.storage import EventFilter, get_connection
from panko.storage.base import Connection
from panko.storage.conditions import And, Comparison, Condition, Not, Or
from panko.storage.filters import Page
from panko.storage.models import Event, TraitType
from panko.storage.sqlalchemy.queries import MAX_LARGE_QUERIES, MAX_QUERY_PARTS
from tests.functional.storage.builders import event, trait

FORMS = 4 * MAX_LARGE_QUERIES


@pytest.fixture
def storage(tmp_path) -> Iterator[Connection]:
    """A storage with two events, in a file."""
    connection = get_connection(f"sqlite:///{tmp_path / 'panko.sqlite'}", service.prepare_service([], config_files=[]))
    connection.upgrade()
    connection.record_events([event("a", trait("x", "some text")), event("b", trait("x", "other"), type_="u")])
    yield connection
    connection.close()


def count_queries() -> tuple[int, int]:
    """Return how many queries are in memory, and how many of them are compiled."""
    gc.collect()
    found = gc.get_objects()
    selects = sum(isinstance(each, sa.Select) and bool(each._limit_clause is not None) for each in found)
    return selects, sum(isinstance(each, SQLCompiler) for each in found)


def contains(*values: str) -> Condition:
    return Comparison("x", TraitType.TEXT, "contains", values)


def long_conditions() -> Iterator[Condition]:
    """Yield conditions of different forms; event "a" meets each."""
    for sizes in itertools.islice(itertools.product(range(1, 6), repeat=6), FORMS):
        yield And(tuple(contains("some", *(f"{number} {n}" for n in range(size))) for number, size in enumerate(sizes)))


def is_same_event(found: list[Event], message_id: str) -> bool:
    return [each.message_id for each in found] == [message_id]


def test_queries_of_long_filters_are_not_kept(storage):
    for condition in itertools.islice(long_conditions(), 3):
        list(storage.get_events(EventFilter(condition=condition)))
    selects, compiled = count_queries()
    for condition in long_conditions():
        assert is_same_event(list(storage.get_events(EventFilter(condition=condition))), "a")
    more_selects, more_compiled = count_queries()
    # The cache of what is compiled is cut only after it has grown by a half.
    assert more_compiled - compiled <= 1.5 * MAX_LARGE_QUERIES
    assert more_selects - selects <= 12 * MAX_LARGE_QUERIES
    assert more_compiled > compiled


def test_queries_of_short_filters_are_kept(storage):
    condition = And(tuple(contains("some", str(number)) for number in range(MAX_QUERY_PARTS // 2)))
    list(storage.get_events(EventFilter(condition=condition)))
    _, compiled = count_queries()
    assert is_same_event(list(storage.get_events(EventFilter(condition=condition), Page(10))), "a")
    _, again = count_queries()
    assert again - compiled <= 1


@pytest.mark.parametrize("count", [3, 40])
def test_queries_of_many_event_types_find_all(storage, count):
    types = [f"type {number}" for number in range(count)]
    storage.record_events([event(f"c{number:02}", type_=name) for number, name in enumerate(types)])
    found = storage.get_events(EventFilter(event_type=types), Page(10))
    assert [each.message_id for each in found] == [f"c{number:02}" for number in range(min(10, count))]
    assert not list(
        storage.get_events(
            EventFilter(event_type=types, condition=Not(Or((contains("q"), Not(contains("z")))))), Page(10)
        )
    )
