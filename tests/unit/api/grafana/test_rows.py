# SPDX-License-Identifier: Apache-2.0
"""The arguments of a GET say which rows are asked for."""

import datetime

import pytest
import webob.multidict
from wsme.exc import ClientSideError

from panko.api.grafana.rows import parse_rows
from panko.storage.filters import TraitFilter
from panko.storage.models import TraitType


def parse(*arguments, largest=None):
    return parse_rows(webob.multidict.MultiDict(arguments), 100, largest)


def test_the_newest_rows_come_first_unless_the_oldest_are_asked_for():
    assert parse().page.sort[0] == ("generated", "desc")
    assert parse(("order", "oldest")).page.sort[0] == ("generated", "asc")


def test_one_row_more_is_looked_for_than_the_limit():
    assert (parse().limit, parse().page.limit) == (100, 101)
    assert parse(("limit", "0")).limit == 100
    assert parse(("limit", "7")).page.limit == 8
    assert parse(("limit", "7"), largest=5).limit == 5


def test_a_time_is_milliseconds_or_iso():
    both = parse(("from", "1477915200000"), ("to", "2016-10-31T14:00:01+02:00")).selection.event_filter
    assert both.start_timestamp == datetime.datetime(2016, 10, 31, 12)
    assert both.end_timestamp == datetime.datetime(2016, 10, 31, 12, 0, 1)


def test_several_event_types_are_repeated_or_as_grafana_writes_them():
    assert parse(("event_type", "a"), ("event_type", "b")).selection.event_filter.event_type == ("a", "b")
    assert parse(("event_type", "{a,b}")).selection.event_filter.event_type == ("a", "b")


def test_traits_are_compared_as_strings_unless_their_type_stands_before():
    arguments = [("trait.service", "x"), ("trait.integer::vcpus", "4"), ("project_id", "p"), ("trait.a.b", "1")]
    assert parse(*arguments).selection.event_filter.traits_filter == (
        TraitFilter("project_id", TraitType.TEXT, "p"),
        TraitFilter("service", TraitType.TEXT, "x"),
        TraitFilter("vcpus", TraitType.INTEGER, 4),
        TraitFilter("a.b", TraitType.TEXT, "1"),
    )


def test_an_argument_without_a_value_is_as_if_it_was_not_there():
    names = ("from", "to", "event_type", "project_id", "trait.a", "limit", "cursor", "all_tenants", "order")
    assert parse(*((name, "") for name in names)) == parse()


@pytest.mark.parametrize("name", ["foo", "trait", "TRAIT.a", "q.field", ""])
def test_an_unknown_argument_is_named(name):
    with pytest.raises(ClientSideError, match=f'Unknown argument: "{name}"'):
        parse((name, "x"))


@pytest.mark.parametrize("name", ["from", "limit", "cursor", "order", "project_id"])
def test_an_argument_that_comes_twice_is_named(name):
    with pytest.raises(ClientSideError, match=f"Parameter {name} was given several times"):
        parse((name, "1"), (name, "1"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("from", "x"), ("to", "now"), ("limit", "-1"), ("limit", "x"), ("limit", "1.5"), ("limit", "9" * 5000)),
        *(("order", "desc"), ("trait.integer::a", "x"), ("trait.datetime::a", "x"), ("project_id", "{a,b}")),
    ],
)
def test_an_argument_that_cannot_be_read_is_refused(name, value):
    with pytest.raises(ClientSideError):
        parse((name, value))
