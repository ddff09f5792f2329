# SPDX-License-Identifier: Apache-2.0
"""Conditions have the notation of the openstack command, and all of them hold."""

import pytest
from wsme.exc import ClientSideError

from panko.api.grafana.conditions import ad_hoc_conditions_of, conditions_of, filter_of, parse_condition
from panko.api.grafana.members import Members
from panko.api.grafana.selections import NO_NAME, selection_of
from panko.api.grafana.times import Range
from panko.osc.arguments import parse_filter
from panko.storage.filters import EventFilter, TraitFilter
from panko.storage.models import TraitType

TEXTS = [
    *(
        "vcpus>=4",
        "integer::vcpus>=4",
        "vcpus = 4",
        "vcpus=='4'",
        'name="a=b"',
        "name=a=b",
        "x!=1.5",
        "x<1e4",
        "x<1.e4",
    ),
    *("t>2024-01-01", "t<=2024-01-01T00:00:00Z", "datetime::t=2024", "n=9223372036854775808", "n=-9223372036854775808"),
    *("event_type=compute.x", "message_id=5", "start_timestamp>=2024", "float::progress>50", "string::n=5", "a::b=1"),
    *("name=", "name=''", "é=ü", " spaced name = x ", "name=Bob's", "x=+5"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_condition_means_what_it_means_to_the_openstack_command(text):
    try:
        expected = parse_filter(text)
    except Exception:
        # The command refuses a type that there is none of at once, here the reader of all filters does.
        with pytest.raises(ClientSideError):
            filter_of([parse_condition(text, "filters")])
    else:
        condition = parse_condition(text, "filters")
        kind = expected.type
        assert (condition.field, condition.op, condition.type, condition.value) == (*expected[:2], kind, expected.value)


@pytest.mark.parametrize("text", ["x", "=5", ">=", "", " = 5"])
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ClientSideError, match=r"filters: .* expected"):
        parse_condition(text, "filters")


def test_each_line_is_a_condition():
    payload = Members({"filters": "vcpus>=4\n\n service=x \r\n"})
    assert [each.field for each in conditions_of(payload, "filters")] == ["vcpus", "service"]
    assert len(conditions_of(Members({"filters": ["vcpus>=4", "a=1\nb=2"]}), "filters")) == 3


def ad_hoc(key, operator="=", value="x"):
    return ad_hoc_conditions_of(Members({"filters": [{"key": key, "operator": operator, "value": value}]}))


@pytest.mark.parametrize(("operator", "op"), [("=", "eq"), ("!=", "ne"), ("<", "lt"), (">", "gt")])
def test_an_ad_hoc_filter_is_on_a_string_unless_its_type_stands_before(operator, op):
    assert filter_of(ad_hoc("service", operator)).traits_filter == (TraitFilter("service", TraitType.TEXT, "x", op),)
    number = filter_of(ad_hoc("integer::vcpus", operator, "4"))
    assert number.traits_filter == (TraitFilter("vcpus", TraitType.INTEGER, 4, op),)


def test_simplejson_calls_ad_hoc_filters_otherwise():
    given = Members({"adhocFilters": [{"key": "event_type", "operator": "=", "value": "a"}]})
    assert filter_of(ad_hoc_conditions_of(given)) == EventFilter(event_type="a")


def test_a_filter_that_has_no_key_yet_does_not_count():
    assert ad_hoc("") == []


@pytest.mark.parametrize("operator", ["=~", "!~", "=|", "<="])
def test_operators_that_cannot_be_asked_for_are_refused(operator):
    with pytest.raises(
        ClientSideError, match=r"filters\[0\]\.operator: one of = != < > \(others cannot be asked for\)"
    ):
        ad_hoc("service", operator)


def test_event_types_are_compared_for_equality_only():
    with pytest.raises(ClientSideError, match="Only `eq' operator is available for field event_type"):
        filter_of(ad_hoc("event_type", "!="))


def test_all_tenants_is_no_condition():
    with pytest.raises(ClientSideError, match="all_tenants is a member of its own"):
        filter_of([parse_condition("all_tenants=True", "filters")])


def test_all_that_a_payload_selects_must_hold():
    payload = Members({"event_type": ["a", "b"], "filters": "event_type=b\nevent_type=c\nstart_timestamp>=2024-01-02"})
    selected = selection_of(payload, Range(), ad_hoc("service")).event_filter
    assert selected.event_type == ("b",)
    assert selected.start_timestamp.day == 2
    assert len(selected.traits_filter) == 1
    assert selection_of(payload, Range(), ad_hoc("event_type", value="c")).event_filter.event_type == (NO_NAME,)


def test_a_payload_names_one_project_at_most():
    assert selection_of(Members({"project_id": "p"}), Range()).event_filter.traits_filter
    assert not selection_of(Members({"project_id": ".*"}), Range()).event_filter.traits_filter
    with pytest.raises(ClientSideError, match="project_id: one project, or none for all, is expected"):
        selection_of(Members({"project_id": "(p|q)"}), Range())
