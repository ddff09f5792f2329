# SPDX-License-Identifier: Apache-2.0
"""What a request asks for becomes what storage understands, or an error that says why not."""

import datetime
import math

import pytest
from wsme.exc import ClientSideError

from panko.api import query
from panko.api.controllers.v2.events import EventQuery
from panko.storage.conditions import NO_EVENT
from panko.storage.errors import excerpt
from panko.storage.filters import EventFilter, Page, TraitFilter
from panko.storage.models import TraitType


def ask(*filters):
    """Return what is read of filters, given as (field, op, type, value)."""
    given = [EventQuery(field=field, op=op, type=type_, value=value) for field, op, type_, value in filters]
    return query.parse_filters(given)[0]


def fault(*arguments, parse=ask):
    with pytest.raises(ClientSideError) as raised:
        parse(*arguments)
    assert raised.value.code == 400
    return raised.value.faultstring


def page(limit=None, sort=None, marker=None, default=100, largest=None):
    return query.parse_page(limit, sort, marker, default, largest)


def at(*time):
    return datetime.datetime(*time)


@pytest.mark.parametrize("nothing", [None, []])
def test_without_filters_all_events_are_asked_for(nothing):
    assert query.parse_filters(nothing) == (EventFilter(), False)


def test_several_event_types_and_ids_are_alternatives():
    found = ask(
        ("event_type", "", "", "a"),
        ("message_id", "eq", "", "1"),
        ("event_type", "eq", "", "b"),
        ("event_type", "", "", ""),
    )
    assert found == EventFilter(event_type=("a", "b"), message_id=("1",))


def test_repeated_time_bounds_all_hold():
    found = ask(
        ("start_timestamp", "ge", "", "2024-01-01"),
        ("start_timestamp", "ge", "", "2024-01-03"),
        ("start_timestamp", "ge", "", "2024-01-02"),
        ("end_timestamp", "le", "", "2024-02-01"),
        ("end_timestamp", "le", "", "2024-02-03"),
        ("end_timestamp", "le", "", ""),
    )
    assert (found.start_timestamp, found.end_timestamp) == (at(2024, 1, 3), at(2024, 2, 1))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-02T03:04:05", at(2024, 1, 2, 3, 4, 5)),
        ("2024-01-02T03:04:05Z", at(2024, 1, 2, 3, 4, 5)),
        ("2024-01-02T03:04:05.000Z", at(2024, 1, 2, 3, 4, 5)),
        ("2024-01-02T03:04:05.123456", at(2024, 1, 2, 3, 4, 5, 123456)),
        ("2024-01-02T03:04:05+02:00", at(2024, 1, 2, 1, 4, 5)),
        ("2024-01-02", at(2024, 1, 2)),
        ("2024", at(2024, 1, 1)),
        ("20240102", at(2024, 1, 2)),
        ("1420113600", at(2015, 1, 1, 12)),
        ("0000000000", at(1970, 1, 1)),
        ("10000000000", at(1970, 4, 26, 17, 46, 40)),
        ("1420113600000", at(2015, 1, 1, 12)),
        ("1420113600001", at(2015, 1, 1, 12, 0, 0, 1000)),
        ("99999999999999", at(5138, 11, 16, 9, 46, 39, 999000)),
        ("", None),
    ],
)
def test_times_are_read_in_every_form_that_clients_send(text, time):
    assert ask(("start_timestamp", "ge", "", text)).start_timestamp == time


@pytest.mark.parametrize(
    "text",
    [
        *(
            "garbage",
            "1",
            "123456789",
            "123456789012345",
            " 2024-01-01",
            "\uff12\uff10\uff12\uff14",
            "²²²²",
            "12345678901²",
        ),
        *("0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "2024-13-01", "2024-01-01T00:00:00+99:99", "\x00"),
    ],
)
def test_an_unreadable_time_is_the_clients_fault(text):
    said = f"Unable to convert the value {text} to the expected data type datetime."
    assert fault(("start_timestamp", "ge", "", text)) == said
    assert fault(("a trait", "eq", "datetime", text)) == said


@pytest.mark.parametrize("text", ["1420113600", "1420113600000"])
def test_times_since_the_epoch_are_for_time_bounds_alone(text):
    fault(("a trait", "eq", "datetime", text))


@pytest.mark.parametrize(
    ("type_", "text", "trait_type", "value"),
    [
        ("", "30", TraitType.TEXT, "30"),
        ("string", "", TraitType.TEXT, ""),
        ("integer", " 30", TraitType.INTEGER, 30),
        ("integer", "\uff11\uff12", TraitType.INTEGER, 12),
        ("integer", "-9223372036854775808", TraitType.INTEGER, -(2**63)),
        ("float", "1e3", TraitType.FLOAT, 1000.0),
        ("float", "inf", TraitType.FLOAT, math.inf),
        ("datetime", "2024-01-01T02:00:00+02:00", TraitType.DATETIME, at(2024, 1, 1)),
    ],
)
def test_other_fields_are_traits_of_the_filters_type(type_, text, trait_type, value):
    assert ask(("size", "ge", type_, text)) == EventFilter(traits_filter=[TraitFilter("size", trait_type, value, "ge")])


@pytest.mark.parametrize("text", ["nan", "\x00", "\ud800"])
def test_a_value_that_no_event_can_have_is_no_error(text):
    assert ask(("a", "", "float" if text == "nan" else "string", text)).condition == NO_EVENT


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        *[("integer", text) for text in ("", "abc", "30.0", "1e3", "nan", "9223372036854775808", "9" * 5000)],
        *[("float", text) for text in ("", "abc", "0b1", "true")],
        *[("datetime", text) for text in ("", "30", "abc")],
    ],
)
def test_a_value_that_is_not_of_its_type_is_the_clients_fault(type_, text):
    said = f"Unable to convert the value {excerpt(text)} to the expected data type {type_}."
    assert fault(("a", "", type_, text)) == said


@pytest.mark.parametrize("type_", ["text", "INTEGER", "whats-up", " "])
def test_an_unknown_type_is_the_clients_fault(type_):
    assert fault(("a", "", type_, "1")) == (
        f"The data type {type_} is not supported. The supported data type list is: "
        "['integer', 'float', 'string', 'datetime']"
    )


@pytest.mark.parametrize("field", ["event_type", "message_id", "all_tenants"])
def test_the_type_does_not_count_on_an_events_own_fields(field):
    ask((field, "", "whats-up", "1"))


@pytest.mark.parametrize("field", ["event_type", "start_timestamp", "all_tenants", "a trait"])
def test_an_unknown_operator_is_the_clients_fault(field):
    assert fault((field, "like", "", "1")) == (
        "Operator like is not supported. The supported operators are: ('lt', 'le', 'eq', 'ne', 'ge', 'gt')"
    )


@pytest.mark.parametrize(
    ("field", "operator", "only"),
    [
        ("event_type", "ne", "eq"),
        ("message_id", "lt", "eq"),
        ("start_timestamp", "", "ge"),
        ("end_timestamp", "ge", "le"),
    ],
)
def test_an_events_own_fields_have_one_operator_each(field, operator, only):
    assert fault((field, operator, "", "1")) == (
        f"Operator {operator or 'eq'} is not supported. Only `{only}' operator is available for field {field}"
    )


@pytest.mark.parametrize("word", ["True", "true", "1", "yes", "on", "t", "Y", " TRUE "])
def test_words_that_mean_all_tenants(word):
    assert query.parse_all_tenants(word)
    assert query.parse_filters([EventQuery(field="all_tenants", op="lt", value=word)]) == (EventFilter(), True)


@pytest.mark.parametrize("word", ["False", "0", "no", "maybe", "", None])
def test_words_that_do_not_mean_all_tenants(word):
    assert not query.parse_all_tenants(word)


def test_of_several_all_tenants_the_last_counts():
    both = [EventQuery(field="all_tenants", value=value) for value in ("True", "False")]
    assert query.parse_filters(both)[1] is False
    assert query.parse_filters(both[::-1])[1] is True


def test_a_filter_of_the_query_may_have_no_value():
    expected = EventFilter(traits_filter=[TraitFilter("a", TraitType.TEXT, "")])
    assert query.parse_filters([EventQuery(field="a")])[0] == expected


@pytest.mark.parametrize(
    "broken", [None, EventQuery(value="1"), EventQuery(field=None, value="1"), EventQuery(field="a", value=None)]
)
def test_a_filter_without_a_field_is_the_clients_fault(broken):
    fault([broken], parse=query.parse_filters)


def test_there_are_not_too_many_filters():
    many = [EventQuery(field="event_type", value=str(number)) for number in range(1001)]
    query.parse_filters(many[1:])
    assert fault(many, parse=query.parse_filters) == "There are more than 1000 filters"
    traits = [EventQuery(field="a trait", value=str(number)) for number in range(51)]
    query.parse_filters(traits[1:])
    assert fault(traits, parse=query.parse_filters) == "There are more than 50 filters on traits"


@pytest.mark.parametrize(("limit", "found"), [(None, 100), (0, 100), (1, 1), (100000, 100000), (2**70, 2**62)])
def test_the_limit_has_a_default_and_no_bound_but_that_of_databases(limit, found):
    assert page(limit).limit == found


@pytest.mark.parametrize(("limit", "found"), [(None, 50), (7, 7), (51, 50), (2**70, 50)])
def test_the_configuration_can_bound_the_limit(limit, found):
    assert page(limit, default=100, largest=50).limit == found


def test_a_negative_limit_is_the_clients_fault():
    assert fault(-1, parse=page) == (
        "Invalid input for field/attribute limit. Value: '-1'. the limit should be a positive integer."
    )


def test_an_empty_marker_is_none():
    assert page(marker="").marker is None
    assert page(marker="a").marker == "a"


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (None, (("generated", "asc"), ("message_id", "asc"))),
        (["generated:desc"], (("generated", "desc"), ("message_id", "desc"))),
        (["generated:"], (("generated", "asc"), ("message_id", "asc"))),
        (["message_id:desc", "generated"], (("message_id", "desc"),)),
        (["generated", "generated:desc"], (("generated", "asc"), ("message_id", "asc"))),
    ],
)
def test_the_order_ends_with_the_message_id(sort, order):
    assert page(sort=sort) == Page(100, None, order)


@pytest.mark.parametrize("sort", ["", ":desc", "event_type", "Generated"])
def test_an_unknown_sort_key_is_the_clients_fault(sort):
    assert fault(None, [sort], parse=page).startswith(f"Invalid input for field/attribute sort. Value: '{sort}'.")


@pytest.mark.parametrize("sort", ["generated:up", "generated:desc:asc", "generated: desc"])
def test_an_unknown_sort_direction_is_the_clients_fault(sort):
    said = fault(None, [sort], parse=page)
    assert said.startswith(f"Invalid input for field/attribute sort direction. Value: '{sort}'.")
    assert said.endswith("the supported sort directions are: ('asc', 'desc')")


def test_a_sort_key_that_is_null_is_the_clients_fault():
    fault(None, [None], parse=page)
