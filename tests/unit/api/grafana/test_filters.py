# SPDX-License-Identifier: Apache-2.0
"""Ad hoc filters, lines of the filter language and the other members of a payload all must hold."""

import re

import pytest
from wsme.exc import ClientSideError

from panko.api.grafana.filters import (
    MAX_ALTERNATIVES,
    expand_lists,
    parse_regex,
    read_ad_hoc_filters,
    read_selection,
    read_texts,
)
from panko.api.grafana.request import JsonObject, TimeRange
from panko.storage.conditions import NO_EVENT, Comparison, Pattern, Subject, all_of
from panko.storage.filters import EventFilter, TraitFilter
from panko.storage.models import TraitType

TEXT = TraitType.TEXT


def ad_hoc(key, operator="=", value="x"):
    return read_ad_hoc_filters(JsonObject({"filters": [{"key": key, "operator": operator, "value": value}]}))


def select(payload=None, filters=None):
    given = read_ad_hoc_filters(JsonObject({"filters": filters or []}))
    return read_selection(JsonObject(payload or {}, "payload."), TimeRange(), given)


def select_ad_hoc(key, operator="=", value="x"):
    return select(filters=[{"key": key, "operator": operator, "value": value}])


def test_each_line_is_a_text():
    payload = JsonObject({"filters": "vcpus>=4\n\n service = x \r\n"})
    assert read_texts(payload, "filters") == ["vcpus>=4", "service = x"]
    assert read_texts(JsonObject({"filters": ["vcpus>=4", "a=1\nb=2"]}), "filters") == ["vcpus>=4", "a=1", "b=2"]


def test_each_line_is_parsed_alone_and_all_must_hold():
    found = select({"filters": "a = x OR b = y\nevent_type = t"})
    assert found.event_filter.event_type == ("t",)
    assert {each.subject for each in found.event_filter.condition.children} == {"a", "b"}
    assert found.uses_language


def test_without_a_text_a_selection_is_what_q_can_have():
    assert not select({"event_type": "a", "filters": " \n"}, [{"key": "service", "value": "x"}]).uses_language


@pytest.mark.parametrize(
    ("lines", "place"),
    [("a = 1 AND b = 2 OR c = 3", "The filter is invalid at"), ("a = 1\n\nb <> 2", "Filter 2 is invalid at")],
)
def test_an_error_names_the_member_and_the_line(lines, place):
    with pytest.raises(ClientSideError, match=rf"^payload\.filters: {place} character \d+: .*Example: "):
        select({"filters": lines})


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ('a = "x"', 'a = "x"'),
        ('a = "x","y"', 'a = ("x" OR "y")'),
        ('a = ("x","y","z") AND b = 1', 'a = ("x" OR "y" OR "z") AND b = 1'),
        ('a != "x \\" ,","y"', 'a != ("x \\" ," OR "y")'),
        ('"n","m" = "x", "y"', '("n" OR "m") = "x", "y"'),
        ("""a = '"x","y"' b = "u","v\"""", """a = '"x","y"' b = ("u" OR "v")"""),
        ("a = x,y", "a = x,y"),
        ('a = "x","y', 'a = "x","y'),
        ('(a = "x","y")', '(a = ("x" OR "y"))'),
    ],
)
def test_quoted_values_of_a_variable_are_a_list(text, expanded):
    assert expand_lists(text) == expanded


@pytest.mark.parametrize(("operator", "op"), [("=", "eq"), ("!=", "ne"), ("<", "lt"), (">", "gt")])
def test_an_ad_hoc_filter_is_on_a_string_unless_its_key_has_a_type(operator, op):
    text, number = TraitFilter("service", TEXT, "x", op), TraitFilter("vcpus", TraitType.INTEGER, 4, op)
    assert select_ad_hoc("service", operator).event_filter == EventFilter(traits_filter=[text])
    assert select_ad_hoc("integer::vcpus", operator, "4").event_filter == EventFilter(traits_filter=[number])
    assert not select_ad_hoc("service", operator).uses_language


def test_simplejson_has_another_name_for_ad_hoc_filters():
    given = read_ad_hoc_filters(JsonObject({"adhocFilters": [{"key": "event_type", "operator": "=", "value": "a"}]}))
    assert read_selection(JsonObject({}), TimeRange(), given).event_filter == EventFilter(event_type="a")


def test_an_ad_hoc_filter_without_a_key_is_ignored():
    assert select_ad_hoc("").event_filter == EventFilter()


@pytest.mark.parametrize("key", ["event_type", "message_id"])
def test_several_equal_signs_of_a_name_are_alternatives(key):
    filters = [{"key": key, "operator": "=", "value": value} for value in "ab"]
    assert select(filters=filters).event_filter == EventFilter(**{key: ("a", "b")})


@pytest.mark.parametrize("operator", ["=|", "<=", "~"])
def test_unsupported_operators_are_refused(operator):
    with pytest.raises(ClientSideError, match=r"filters\[0\]\.operator: one of = != < > =~ !~ \(others are not"):
        ad_hoc("service", operator)


@pytest.mark.parametrize("operator", ["<", ">"])
def test_event_types_are_not_compared_for_order(operator):
    with pytest.raises(ClientSideError, match="Only `eq' operator is available for field event_type"):
        select_ad_hoc("event_type", operator)


@pytest.mark.parametrize(("operator", "op"), [("=~", "eq"), ("!~", "ne")])
@pytest.mark.parametrize(
    ("key", "subject", "type_", "text", "values"),
    [
        ("service", "service", TEXT, "^(a|b.*)$", ("a", Pattern(("b", "")))),
        ("string::service", "service", TEXT, "a", ("a",)),
        ("event_type", Subject.EVENT_TYPE, TEXT, "compute\\.instance\\.create\\.end", ("compute.instance.create.end",)),
        ("message_id", Subject.MESSAGE_ID, TEXT, "a|b", ("a", "b")),
        ("integer::vcpus", "vcpus", TraitType.INTEGER, "(4|8)", (4, 8)),
    ],
)
def test_a_simple_expression_is_a_list(operator, op, key, subject, type_, text, values):
    (condition,) = ad_hoc(key, operator, text).conditions
    assert condition == Comparison(subject, type_, op, values)
    assert select_ad_hoc(key, operator, text).uses_language


def test_an_event_type_can_be_excluded():
    assert ad_hoc("event_type", "!=", "a").conditions == (Comparison(Subject.EVENT_TYPE, TEXT, "ne", ("a",)),)


@pytest.mark.parametrize(
    ("key", "text", "member"),
    [
        ("service", "a+", "value"),
        ("integer::vcpus", "4.*", "value"),
        ("integer::vcpus", "x", "value"),
        ("start_timestamp", "2024.*", "key"),
        ("all_tenants", "True", "key"),
    ],
)
def test_another_expression_is_refused_with_the_member(key, text, member):
    with pytest.raises(ClientSideError, match=rf"^filters\[0\]\.{member}: .* expected$"):
        ad_hoc(key, "=~", text)


EXPRESSIONS = [
    *(
        "a",
        "a.b",
        "a|b",
        "(a|b)",
        "(?:a|b)",
        "^(a|b)$",
        "^a$",
        "a.*",
        ".*a",
        "^a.*",
        ".*a$",
        "^(a.*|b.*)",
        "a.*b.*c",
        ".*",
    ),
    *("a\\.b", "a\\|b", "a\\\\", "a.*.*b", "^(?:.*a|.*b)$", "a-b c/d:e", "\\(a\\)", "a|", "", "\\$a", "é|ü"),
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_alternatives_match_what_the_expression_matches(text):
    values = parse_regex(text)
    for value in [
        "a",
        "b",
        "ab",
        "ba",
        "a.b",
        "abc",
        "axbxc",
        "c",
        "",
        "a|b",
        "a\\",
        "a-b c/d:e",
        "(a)",
        "$a",
        "é",
        "xa",
    ]:
        matches = any(each.matches(value) if isinstance(each, Pattern) else each == value for each in values)
        # A dot without a star is a dot.
        assert matches == bool(re.fullmatch(re.sub(r"(?<!\\)\.(?!\*)", r"\.", text), value)), value


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a+",
            "a?",
            "a*",
            "[ab]",
            "a{2}",
            "\\d",
            "\\w+",
            "^a",
            "a$",
            "^a|b$",
            "^(a|b)",
            "(a|b)$",
            "^(a.*|b)",
            "(a)(b)",
        ),
        *("(a", "a)", "(?i)a", "(?=a)", "a(b|c)", "((a|b))", "a^b", "a$b", "a\\", "(?P<x>a)", "|".join("a" * 51)),
    ],
)
def test_other_expressions_are_none(text):
    assert parse_regex(text) is None


def test_the_number_of_alternatives_is_limited():
    assert len(parse_regex("|".join("a" * MAX_ALTERNATIVES))) == MAX_ALTERNATIVES


@pytest.mark.parametrize("text", ["(" * 100_000, "\\" * 100_001, "a|" * 100_000, ".*" * 100_000, "(a|b" * 50_000])
def test_a_long_expression_is_read_in_linear_time(text):
    parse_regex(text)


def test_all_tenants_is_not_a_filter():
    with pytest.raises(ClientSideError, match="all_tenants is a member of its own"):
        select_ad_hoc("all_tenants", "=", "True")
    with pytest.raises(ClientSideError, match="all_tenants"):
        select({"filters": "all_tenants = True"})


def test_all_that_a_payload_selects_must_hold():
    payload = {"event_type": ["a", "b"], "filters": "event_type = (b OR c)\nstart_timestamp >= 2024-01-02"}
    found = select(payload, [{"key": "service", "value": "x"}, {"key": "host", "operator": "=~", "value": "h.*"}])
    assert found.event_filter.event_type == ("b",)
    assert found.event_filter.start_timestamp.day == 2
    service, host = Comparison("service", TEXT, "eq", ("x",)), Comparison("host", TEXT, "eq", (Pattern(("h", "")),))
    assert found.event_filter.condition == all_of([service, host])
    nothing = select(payload, [{"key": "event_type", "value": "c"}])
    assert nothing.event_filter.condition == NO_EVENT


@pytest.mark.parametrize("value", ["vcpus >= 4", ["vcpus >= 4"]])
def test_the_argument_of_other_requests_is_not_ignored(value):
    with pytest.raises(ClientSideError, match=r"payload\.filter: the name `filters`, with an s, is expected"):
        select({"filter": value})
    assert select({"filter": ""}) == select()


def test_a_payload_names_one_project_at_most():
    of_project = EventFilter(traits_filter=[TraitFilter("project_id", TEXT, "p")])
    assert select({"project_id": "p"}).event_filter == of_project
    assert select({"project_id": ".*"}).event_filter == EventFilter()
    for several in ("(p|q)", "p,q", '"p","q"'):
        with pytest.raises(ClientSideError, match="project_id: one project, or none for all, is expected"):
            select({"project_id": several})


def test_an_error_in_a_list_of_ad_hoc_filters_is_reported_before_one_in_a_filter():
    with pytest.raises(ClientSideError, match="adhocFilters"):
        read_ad_hoc_filters(JsonObject({"filters": [{"key": "a", "operator": "~"}], "adhocFilters": "b"}))
