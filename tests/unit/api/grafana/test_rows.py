# SPDX-License-Identifier: Apache-2.0
"""Events become rows: those that the arguments of the request select."""

import datetime

import orjson
import pytest
import webob
import webob.multidict
from wsme.exc import ClientSideError

from panko.api.grafana.rows import RowPage, make_log, make_row, parse_rows
from panko.api.pages import Links
from panko.storage.conditions import Comparison
from panko.storage.filters import EventFilter, Page, TraitFilter
from panko.storage.models import TraitType
from tests.unit.api.grafana.test_frames import TIME, event
from tests.unit.api.memory import EventConnection

LINKS = Links(webob.Request.blank("/rows"), "cursor")


def parse(*arguments, max_limit=None):
    return parse_rows(webob.multidict.MultiDict(arguments), LINKS, 100, max_limit)


def test_the_newest_rows_come_first_by_default():
    assert parse().page.sort[0] == ("generated", "desc")
    assert parse(("order", "oldest")).page.sort[0] == ("generated", "asc")


def test_the_limit_is_the_configured_one_unless_the_request_has_one():
    assert parse().page.limit == 100
    assert parse(("limit", "0")).page.limit == 100
    assert parse(("limit", "7")).page.limit == 7
    assert parse(("limit", "7"), max_limit=5).page.limit == 5


def test_a_time_is_milliseconds_or_iso():
    both = parse(("from", "1477915200000"), ("to", "2016-10-31T14:00:01+02:00")).selection.event_filter
    assert both.start_timestamp == datetime.datetime(2016, 10, 31, 12)
    assert both.end_timestamp == datetime.datetime(2016, 10, 31, 12, 0, 1)


def test_several_event_types_are_repeated_or_as_grafana_writes_them():
    assert parse(("event_type", "a"), ("event_type", "b")).selection.event_filter.event_type == ("a", "b")
    for text in ("{a,b}", "(a|b)", "a,b", '"a","b"'):
        assert parse(("event_type", text)).selection.event_filter.event_type == ("a", "b")


def test_traits_are_compared_as_strings_unless_the_name_has_a_type():
    arguments = [("trait.service", "x"), ("trait.integer::vcpus", "4"), ("project_id", "p"), ("trait.a.b", "1")]
    expected = [
        TraitFilter("project_id", TraitType.TEXT, "p"),
        TraitFilter("service", TraitType.TEXT, "x"),
        TraitFilter("vcpus", TraitType.INTEGER, 4),
        TraitFilter("a.b", TraitType.TEXT, "1"),
    ]
    assert parse(*arguments).selection.event_filter.condition == EventFilter(traits_filter=expected).condition


def test_texts_in_the_filter_language_must_hold_too():
    found = parse(("event_type", "(a|b)"), ("filter", "event_type = (b OR c)"), ("filter", 'n = "x","y z"')).selection
    assert found.event_filter.event_type == ("b",)
    assert found.event_filter.condition == Comparison("n", TraitType.TEXT, "eq", ("x", "y z"))
    assert found.uses_language
    assert not parse(("event_type", "a"), ("trait.n", "x")).selection.uses_language


def test_an_argument_without_a_value_is_ignored():
    names = ("from", "to", "event_type", "project_id", "trait.a", "limit", "cursor", "all_tenants", "order", "form")
    assert parse(*((name, "") for name in names)) == parse()


@pytest.mark.parametrize("name", ["foo", "trait", "TRAIT.a", "q.field", ""])
def test_an_error_names_an_unknown_argument(name):
    with pytest.raises(ClientSideError, match=f'Unknown argument: "{name}"'):
        parse((name, "x"))


@pytest.mark.parametrize("name", ["from", "limit", "cursor", "order", "project_id"])
def test_an_error_names_a_repeated_argument(name):
    with pytest.raises(ClientSideError, match=f"Parameter {name} was given several times"):
        parse((name, "1"), (name, "1"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("from", "x"), ("to", "now"), ("limit", "-1"), ("limit", "x"), ("limit", "1.5"), ("limit", "9" * 5000)),
        *(
            ("order", "desc"),
            ("form", "x"),
            ("trait.integer::a", "x"),
            ("trait.datetime::a", "x"),
            ("project_id", "{a,b}"),
        ),
    ],
)
def test_an_invalid_argument_is_refused(name, value):
    with pytest.raises(ClientSideError):
        parse((name, value))


def test_a_row_is_flat_typed_and_zoned():
    traits = [("n", 2, 4), ("f", 3, 0.5), ("s", 1, "x"), ("t", 4, TIME), ("project_id", 1, "p")]
    assert make_row(event(*traits)) == {
        "time": "2016-10-31T12:00:00.500999Z",
        "event_type": "kind",
        "message_id": "m",
        "project_id": "p",
        "traits.f": 0.5,
        "traits.n": 4,
        "traits.project_id": "p",
        "traits.s": "x",
        "traits.t": "2016-10-31T12:00:00.500999Z",
    }


def test_a_log_has_the_columns_of_the_logs_panel():
    assert parse(("form", "logs")).make_row is make_log
    traits = [("n", 2, 4), ("project_id", 1, "p"), ("name", 1, "a b")]
    assert make_log(event(*traits)) == {
        "timestamp": "2016-10-31T12:00:00.500999Z",
        "body": "kind n=4, name=a b, project_id=p",
        "severity": "info",
        "id": "m",
        "event_type": "kind",
        "project_id": "p",
    }


@pytest.mark.parametrize(
    ("event_type", "traits", "severity"),
    [
        ("compute.instance.create.error", (), "error"),
        ("orchestration.stack.FAILED", (), "error"),
        ("kind", (("state", 1, "ERROR"),), "error"),
        ("kind", (("status", 1, "error"),), "error"),
        ("kind", (("outcome", 1, "failure"),), "error"),
        ("kind", (("outcome", 1, "error"), ("state", 1, "active"), ("state", 2, 1)), "info"),
    ],
)
def test_a_log_is_an_error_if_its_type_or_state_says_so(event_type, traits, severity):
    assert make_log(event(*traits, event_type=event_type))["severity"] == severity


def render(storage, limit):
    page = RowPage(storage, EventFilter(), Page(limit), LINKS, make_row)
    rendered = orjson.loads(b"".join(page))
    page.close()
    return rendered


def test_the_cursor_of_the_next_rows_is_the_last_row():
    events = [event(message_id=name) for name in "abc"]

    def ids_and_next(count, limit):
        rendered = render(EventConnection(events[:count]), limit)
        return [row["message_id"] for row in rendered["rows"]], rendered["next"]

    assert ids_and_next(3, 2) == (["a", "b"], "b")
    assert ids_and_next(2, 2) == (["a", "b"], None)
    assert ids_and_next(0, 2) == ([], None)


@pytest.mark.parametrize("limit", [1, 3])
def test_the_events_are_closed_with_the_page(limit):
    storage = EventConnection([event(message_id=name) for name in "abc"])
    assert len(render(storage, limit)["rows"]) == limit
    assert storage.open == 0


def test_rows_are_read_one_by_one_while_they_are_sent():
    storage = EventConnection([event(message_id=name) for name in "abc"])
    page = RowPage(storage, EventFilter(), Page(3), LINKS, make_row)
    pieces = iter(page)
    assert [next(pieces), orjson.loads(next(pieces))["message_id"]] == [b'{"rows":[', "a"]
    storage.events.clear()
    assert list(pieces) == [b'],"next":null}']


def test_of_several_traits_of_a_name_the_first_recorded_is_in_the_row():
    assert make_row(event(("a", 1, "z"), ("a", 1, "b")))["traits.a"] == "z"
