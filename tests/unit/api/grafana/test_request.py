# SPDX-License-Identifier: Apache-2.0
"""Requests are read by the types of their members and refused by their names; all conditions must hold."""

import datetime

import pytest
from wsme.exc import ClientSideError

from panko.api.controllers.v2.base import Query
from panko.api.grafana.frames import to_milliseconds, to_utc_text
from panko.api.grafana.request import (
    IMPOSSIBLE_NAME,
    MAX_LIST_MEMBERS,
    JsonObject,
    TimeRange,
    expand_variable,
    make_filter,
    parse_condition,
    parse_object,
    read_ad_hoc_filters,
    read_conditions,
    read_range,
    read_selection,
)
from panko.api.query import parse_filters
from panko.osc.v2.filters import parse_filter
from panko.storage.filters import EventFilter, TraitFilter
from panko.storage.models import TraitType

NO_TEXTS = [True, False, {}, [1], {"a": 1}]


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"q"'])
def test_a_body_must_be_an_object(body):
    with pytest.raises(ClientSideError, match="Request must be a JSON dict"):
        parse_object(body)


@pytest.mark.parametrize("body", [b"{", b"\x00", b"\xff", b"[" * 100_000, b'{"a": NaN}', b'{"a": "\\ud800"}', b"{}x"])
def test_a_body_that_is_not_json_is_refused(body):
    with pytest.raises(ClientSideError, match="Request is not in valid JSON format"):
        parse_object(body)


def test_an_empty_body_is_an_empty_object():
    assert parse_object(b"") == parse_object(b"{}") == JsonObject({})


@pytest.mark.parametrize("value", NO_TEXTS)
def test_an_error_names_the_member_by_its_path(value):
    payload = JsonObject({"targets": [{"payload": {"limit": value}}]}).objects("targets", 5)[0].object("payload")
    with pytest.raises(
        ClientSideError, match=r"^targets\[0\]\.payload\.limit: a whole number from 1 to 9 is expected$"
    ):
        payload.integer("limit", 1, 9, 5)


@pytest.mark.parametrize("value", NO_TEXTS)
def test_a_text_is_a_text_or_a_number(value):
    with pytest.raises(ClientSideError, match="a: a text is expected"):
        JsonObject({"a": value}).text("a")
    assert [JsonObject({"a": each}).text("a") for each in ("x", " x", 5, None)] == ["x", " x", "5", ""]


def test_texts_are_a_list_or_a_single_text():
    assert JsonObject({"a": ["x", "", 5]}).texts("a") == ("x", "5")
    assert JsonObject({"a": "x"}).texts("a") == ("x",)
    assert JsonObject({"a": None}).texts("a") == JsonObject({}).texts("a") == ()
    for value in ({}, [[]], [None], [True], ["x"] * (MAX_LIST_MEMBERS + 1)):
        with pytest.raises(ClientSideError):
            JsonObject({"a": value}).texts("a")


@pytest.mark.parametrize("value", [5, 5.0, "5", " 5 "])
def test_a_number_may_be_a_text_as_the_query_builder_sends_it(value):
    assert JsonObject({"a": value}).integer("a", 1, 9, 1) == 5
    assert JsonObject({"a": value}).number("a", 1) == 5


@pytest.mark.parametrize("value", [0, 10, 5.5, "x", "5.5", True, [], {}, 1e300, "9" * 5000, -1])
def test_an_integer_outside_its_bounds_is_refused(value):
    with pytest.raises(ClientSideError):
        JsonObject({"a": value}).integer("a", 1, 9, 1)


@pytest.mark.parametrize("value", ["x", "nan", "inf", True, [], {}, -1, "1e400"])
def test_a_number_that_is_negative_or_not_finite_is_refused(value):
    with pytest.raises(ClientSideError):
        JsonObject({"a": value}).number("a", 1)


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_member_has_the_default(value):
    given = JsonObject({"a": value})
    assert (given.integer("a", 1, 9, 7), given.number("a", 7), given.boolean("a")) == (7, 7, None)
    assert given.object("a") == JsonObject({}, "a.")


@pytest.mark.parametrize(
    ("value", "truth"), [(True, True), ("True", True), ("yes", True), (False, False), ("no", False)]
)
def test_a_boolean_may_be_a_word(value, truth):
    assert JsonObject({"a": value}).boolean("a") is truth


@pytest.mark.parametrize("value", [[], {}])
def test_a_boolean_is_not_a_list(value):
    with pytest.raises(ClientSideError, match="a: true or false is expected"):
        JsonObject({"a": value}).boolean("a")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("compute.instance.exists", ("compute.instance.exists",)),
        (r"compute\.instance\.exists", ("compute.instance.exists",)),
        (r"(a\.b|c)", ("a.b", "c")),
        (r"(a\|b|c\\d)", ("a|b", r"c\d")),
        ("{a.b,c}", ("a.b", "c")),
        (r"a\b", (r"a\b",)),
        ("(", ("(",)),
        ("()", ()),
        (".*", ()),
        ("$__all", ()),
        ("", ()),
    ],
)
def test_the_values_of_a_variable_are_read_as_grafana_writes_them(text, names):
    assert expand_variable(text) == names


def test_names_are_not_repeated():
    assert JsonObject({"a": ["x", "(x|y)"]}).names("a") == ("x", "y")


NOON = datetime.datetime(2016, 10, 31, 12)


@pytest.mark.parametrize(
    "value",
    [
        "2016-10-31T12:00:00.000Z",
        "2016-10-31T14:00:00+02:00",
        "2016-10-31T07:30:00-04:30",
        "2016-10-31T12:00:00",
        1477915200000,
        1477915200000.0,
        "1477915200000",
        1477915200000.7,
        1477915200,
        1477915200.0,
        "1477915200",
    ],
)
def test_a_time_is_read_in_any_zone_and_as_seconds_or_milliseconds(value):
    assert JsonObject({"from": value}).time("from") == NOON


DIGITS = {length: str(10**15 + 20150101)[-length:] for length in range(1, 19) if length not in (4, 8)}
DIGITS |= {4: "2015", 8: "20150101"}


@pytest.mark.parametrize("text", [*DIGITS.values(), "0", "-1000", "-1477915200000", "9" * 5000])
def test_digits_mean_the_same_in_q(text):
    def in_q():
        (filters, _) = parse_filters([Query(field="start_timestamp", op="ge", value=text)])
        return filters.start_timestamp

    def outcome(read):
        try:
            return read()
        except ClientSideError:
            return "refused"

    readings = [outcome(in_q), outcome(lambda: JsonObject({"from": text}).time("from"))]
    assert readings[0] == readings[1]
    assert (readings[0] == "refused") == (len(text) not in (4, 8, *range(10, 15)) or text.startswith("-"))


REFUSED = [True, [], {}, "x", "now-6h", "9" * 18, "\x00", "2016-13-01"]
REFUSED += [0, -1000, 123456789, 10**14, 1e300, float("inf")]


@pytest.mark.parametrize("value", REFUSED)
def test_an_error_names_an_invalid_time(value):
    with pytest.raises(ClientSideError, match=r"from: a time in ISO 8601, or seconds \(10 digits\) or milliseconds"):
        JsonObject({"from": value}).time("from")


def test_a_range_that_ends_before_it_starts_is_refused():
    with pytest.raises(ClientSideError, match=r"range\.from is later than range\.to"):
        read_range(JsonObject({"from": 1477915201, "to": 1477915200000}, "range."))


def test_times_are_written_as_milliseconds_or_with_their_zone():
    assert to_milliseconds(NOON + datetime.timedelta(microseconds=1999)) == 1477915200001
    assert to_milliseconds(datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)) == -1
    assert to_utc_text(NOON) == "2016-10-31T12:00:00Z"


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
        # The command refuses an unknown type at once; here make_filter does.
        with pytest.raises(ClientSideError):
            make_filter([parse_condition(text, "filters")])
    else:
        condition = parse_condition(text, "filters")
        kind = expected.type
        assert (condition.field, condition.op, condition.type, condition.value) == (*expected[:2], kind, expected.value)


@pytest.mark.parametrize("text", ["x", "=5", ">=", "", " = 5"])
def test_an_invalid_condition_is_refused(text):
    with pytest.raises(ClientSideError, match=r"filters: .* expected"):
        parse_condition(text, "filters")


def test_each_line_is_a_condition():
    payload = JsonObject({"filters": "vcpus>=4\n\n service=x \r\n"})
    assert [each.field for each in read_conditions(payload, "filters")] == ["vcpus", "service"]
    assert len(read_conditions(JsonObject({"filters": ["vcpus>=4", "a=1\nb=2"]}), "filters")) == 3


def ad_hoc(key, operator="=", value="x"):
    return read_ad_hoc_filters(JsonObject({"filters": [{"key": key, "operator": operator, "value": value}]}))


@pytest.mark.parametrize(("operator", "op"), [("=", "eq"), ("!=", "ne"), ("<", "lt"), (">", "gt")])
def test_an_ad_hoc_filter_is_on_a_string_unless_its_key_has_a_type(operator, op):
    text, number = TraitFilter("service", TraitType.TEXT, "x", op), TraitFilter("vcpus", TraitType.INTEGER, 4, op)
    assert make_filter(ad_hoc("service", operator)) == EventFilter(traits_filter=[text])
    assert make_filter(ad_hoc("integer::vcpus", operator, "4")) == EventFilter(traits_filter=[number])


def test_simplejson_has_another_name_for_ad_hoc_filters():
    given = JsonObject({"adhocFilters": [{"key": "event_type", "operator": "=", "value": "a"}]})
    assert make_filter(read_ad_hoc_filters(given)) == EventFilter(event_type="a")


def test_an_ad_hoc_filter_without_a_key_is_ignored():
    assert ad_hoc("") == []


@pytest.mark.parametrize("operator", ["=~", "!~", "=|", "<="])
def test_unsupported_operators_are_refused(operator):
    with pytest.raises(ClientSideError, match=r"filters\[0\]\.operator: one of = != < > \(others are not supported\)"):
        ad_hoc("service", operator)


def test_event_types_are_compared_for_equality_only():
    with pytest.raises(ClientSideError, match="Only `eq' operator is available for field event_type"):
        make_filter(ad_hoc("event_type", "!="))


def test_all_tenants_is_not_a_condition():
    with pytest.raises(ClientSideError, match="all_tenants is a member of its own"):
        make_filter([parse_condition("all_tenants=True", "filters")])


def test_all_that_a_payload_selects_must_hold():
    payload = JsonObject(
        {"event_type": ["a", "b"], "filters": "event_type=b\nevent_type=c\nstart_timestamp>=2024-01-02"}
    )
    selected = read_selection(payload, TimeRange(), ad_hoc("service")).event_filter
    assert selected.event_type == ("b",)
    assert selected.start_timestamp.day == 2
    assert selected.condition == TraitFilter("service", TraitType.TEXT, "x").condition
    assert read_selection(payload, TimeRange(), ad_hoc("event_type", value="c")).event_filter.event_type == (
        IMPOSSIBLE_NAME,
    )


def test_a_payload_names_one_project_at_most():
    of_project = EventFilter(traits_filter=[TraitFilter("project_id", TraitType.TEXT, "p")])
    assert read_selection(JsonObject({"project_id": "p"}), TimeRange()).event_filter == of_project
    assert read_selection(JsonObject({"project_id": ".*"}), TimeRange()).event_filter == EventFilter()
    with pytest.raises(ClientSideError, match="project_id: one project, or none for all, is expected"):
        read_selection(JsonObject({"project_id": "(p|q)"}), TimeRange())


def test_an_error_in_a_list_of_ad_hoc_filters_is_reported_before_one_in_a_filter():
    with pytest.raises(ClientSideError, match="adhocFilters"):
        read_ad_hoc_filters(JsonObject({"filters": [{"key": "a", "operator": "~"}], "adhocFilters": "b"}))
