# SPDX-License-Identifier: Apache-2.0
"""Members of a body are read by their type, and refused by their name."""

import pytest
from wsme.exc import ClientSideError

from panko.api.grafana.members import MOST_MEMBERS, Members, expand, parse_object

NO_TEXTS = [True, False, {}, [1], {"a": 1}]


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"q"'])
def test_a_body_is_to_be_an_object(body):
    with pytest.raises(ClientSideError, match="Request must be a JSON dict"):
        parse_object(body)


@pytest.mark.parametrize("body", [b"{", b"\x00", b"\xff", b"[" * 100_000, b'{"a": NaN}', b'{"a": "\\ud800"}', b"{}x"])
def test_a_body_that_is_no_json_is_refused(body):
    with pytest.raises(ClientSideError, match="Request is not in valid JSON format"):
        parse_object(body)


def test_an_empty_body_is_an_empty_object():
    assert parse_object(b"") == parse_object(b"{}") == Members({})


@pytest.mark.parametrize("value", NO_TEXTS)
def test_an_error_names_the_member_by_its_path(value):
    payload = Members({"targets": [{"payload": {"limit": value}}]}).objects("targets", 5)[0].object("payload")
    with pytest.raises(
        ClientSideError, match=r"^targets\[0\]\.payload\.limit: a whole number from 1 to 9 is expected$"
    ):
        payload.whole("limit", 1, 9, 5)


@pytest.mark.parametrize("value", NO_TEXTS)
def test_a_text_is_a_text_or_a_number(value):
    with pytest.raises(ClientSideError, match="a: a text is expected"):
        Members({"a": value}).text("a")
    assert [Members({"a": each}).text("a") for each in ("x", " x", 5, None)] == ["x", " x", "5", ""]


def test_texts_are_a_list_or_one():
    assert Members({"a": ["x", "", 5]}).texts("a") == ("x", "5")
    assert Members({"a": "x"}).texts("a") == ("x",)
    assert Members({"a": None}).texts("a") == Members({}).texts("a") == ()
    for value in ({}, [[]], [None], [True], ["x"] * (MOST_MEMBERS + 1)):
        with pytest.raises(ClientSideError):
            Members({"a": value}).texts("a")


@pytest.mark.parametrize("value", [5, 5.0, "5", " 5 "])
def test_a_number_may_be_a_text_as_the_query_builder_makes_it(value):
    assert Members({"a": value}).whole("a", 1, 9, 1) == 5
    assert Members({"a": value}).number("a", 1) == 5


@pytest.mark.parametrize("value", [0, 10, 5.5, "x", "5.5", True, [], {}, 1e300, "9" * 5000, -1])
def test_a_whole_number_is_within_its_bounds(value):
    with pytest.raises(ClientSideError):
        Members({"a": value}).whole("a", 1, 9, 1)


@pytest.mark.parametrize("value", ["x", "nan", "inf", True, [], {}, -1, "1e400"])
def test_a_number_is_finite_and_not_negative(value):
    with pytest.raises(ClientSideError):
        Members({"a": value}).number("a", 1)


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_is_the_default(value):
    given = Members({"a": value})
    assert (given.whole("a", 1, 9, 7), given.number("a", 7), given.flag("a")) == (7, 7, None)
    assert given.object("a") == Members({}, "a.")


@pytest.mark.parametrize(
    ("value", "truth"), [(True, True), ("True", True), ("yes", True), (False, False), ("no", False)]
)
def test_a_truth_is_one_of_the_words_for_it(value, truth):
    assert Members({"a": value}).flag("a") is truth


@pytest.mark.parametrize("value", [[], {}])
def test_a_truth_is_no_list(value):
    with pytest.raises(ClientSideError, match="a: true or false is expected"):
        Members({"a": value}).flag("a")


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
    assert expand(text) == names


def test_names_come_once():
    assert Members({"a": ["x", "(x|y)"]}).names("a") == ("x", "y")
