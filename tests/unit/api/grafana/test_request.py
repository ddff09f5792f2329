# SPDX-License-Identifier: Apache-2.0
"""Requests are read by the types of their members and refused by their names."""

import datetime

import pytest
from wsme.exc import ClientSideError

from panko.api.controllers.v2.base import Query
from panko.api.grafana.frames import to_milliseconds, to_utc_text
from panko.api.grafana.request import (
    MAX_LIST_MEMBERS,
    JsonObject,
    expand_variable,
    parse_object,
    read_range,
)
from panko.api.query import parse_filters

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
        ("a.b,c", ("a.b", "c")),
        ("a.b,,c,", ("a.b", "c")),
        ('"a.b"', ("a.b",)),
        ('"a,b","c \\"d\\""', ("a,b", 'c "d"')),
        ('"a"b","c"', ('"a"b"', '"c"')),
        ('"a",', ('"a"',)),
        ('"', ('"',)),
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


def test_one_name_may_have_commas():
    assert expand_variable("a,b", has_commas=True) == ("a,b",)
    assert expand_variable("(a|b)", has_commas=True) == ("a", "b")


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
