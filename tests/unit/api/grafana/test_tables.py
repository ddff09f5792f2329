# SPDX-License-Identifier: Apache-2.0
"""Events become tables, annotations and rows, and counts become series."""

import datetime

import orjson

from panko.api.grafana.members import Members
from panko.api.grafana.queries import parse_query
from panko.api.grafana.rows import render_rows, row_of
from panko.api.grafana.series import series_of
from panko.api.grafana.tables import MOST_COLUMNS, MOST_TEXT, annotations, annotations_table, events_table
from panko.storage.aggregates import EventCount
from panko.storage.models import Event, Trait, TraitType
from panko.storage.validation import checked_event

TIME = datetime.datetime(2016, 10, 31, 12, 0, 0, 500999)
MILLISECONDS = 1477915200500
HOUR = datetime.timedelta(hours=1)


def event(*traits, message_id="m"):
    return checked_event(Event(message_id, "kind", TIME, [Trait(*trait) for trait in traits]))


def columns(table):
    return {column["text"]: column["type"] for column in table["columns"]}


def test_a_table_has_a_typed_column_for_each_trait():
    traits = [("n", 2, 4), ("f", 3, 0.5), ("s", 1, "x"), ("t", 4, TIME), ("project_id", 1, "p")]
    table = events_table([event(*traits), event()], (), "A")
    assert (table["type"], table["refId"]) == ("table", "A")
    assert list(columns(table)) == [
        *("Time", "event_type", "message_id", "project_id"),
        *("traits.f", "traits.n", "traits.s", "traits.t"),
    ]
    assert list(columns(table).values()) == ["time", *["string"] * 3, "number", "number", "string", "time"]
    assert table["rows"] == [
        [MILLISECONDS, "kind", "m", "p", 0.5, 4, "x", MILLISECONDS],
        [MILLISECONDS, "kind", "m", *[None] * 5],
    ]


def test_chosen_traits_are_columns_in_the_order_of_the_choice_also_where_none_occurs():
    table = events_table([event(("a", 2, 1), ("b", 2, 2))], ("z", "b"), "")
    assert list(columns(table))[4:] == ["traits.z", "traits.b"]
    assert table["rows"][0][4:] == [None, 2]


def test_a_column_of_several_types_is_text_unless_all_are_numbers():
    table = events_table([event(("a", 2, 1), ("b", 2, 1)), event(("a", 3, 0.5), ("b", 4, TIME))], (), "")
    assert [columns(table)[name] for name in ("traits.a", "traits.b")] == ["number", "string"]
    assert [row[5] for row in table["rows"]] == ["1", "2016-10-31T12:00:00.500999Z"]


def test_of_several_traits_of_a_name_the_first_recorded_is_shown():
    several = event(("a", 1, "z"), ("a", 1, "b"), ("project_id", 2, 5), ("project_id", 1, "p"))
    assert events_table([several], ("a",), "")["rows"][0][3:] == ["p", "z"]
    assert row_of(several)["traits.a"] == "z"


def test_the_columns_are_bounded_to_the_traits_that_most_events_have():
    many = [event(*((f"t{number}-{each}", 2, 1) for each in range(100)), ("common", 2, 1)) for number in range(5)]
    names = list(columns(events_table(many, (), "")))
    assert len(names) == 4 + MOST_COLUMNS
    assert "traits.common" in names


def test_annotations_have_the_columns_that_grafana_maps():
    table = annotations_table([event(("project_id", 1, "p"), ("n", 2, 4)), event()], ("n",), "A")
    assert columns(table) == {"time": "time", "title": "string", "text": "string", "tags": "string"}
    assert table["rows"] == [[MILLISECONDS, "kind", "n=4", "kind,p"], [MILLISECONDS, "kind", "", "kind"]]


def test_the_text_of_an_annotation_is_bounded():
    (made,) = annotations([event(("a", 1, "x" * 5000))], ())
    assert len(made["text"]) == MOST_TEXT + 1
    assert made["tags"] == ["kind"]


def test_a_row_is_flat_typed_and_zoned():
    traits = [("n", 2, 4), ("f", 3, 0.5), ("s", 1, "x"), ("t", 4, TIME), ("project_id", 1, "p")]
    assert row_of(event(*traits)) == {
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


def test_rows_say_where_the_next_ones_begin():
    events = [event(message_id=name) for name in "abc"]

    def render(count, limit):
        answer = orjson.loads(b"".join(render_rows(iter(events[:count]), limit)))
        return [row["message_id"] for row in answer["rows"]], answer["next"]

    assert render(3, 2) == (["a", "b"], "b")
    assert render(2, 2) == (["a", "b"], None)
    assert render(0, 2) == ([], None)


def test_rows_are_made_one_by_one_as_they_are_sent():
    drawn = []
    events = (drawn.append(number) or event(message_id=str(number)) for number in range(1000))
    pieces = render_rows(events, 1000)
    assert [next(pieces), orjson.loads(next(pieces))["message_id"]] == [b'{"rows":[', "0"]
    assert drawn == [0]


def make_series(counts, payload):
    span = {"from": "2016-10-31T11:30:00Z", "to": "2016-10-31T15:30:00+01:00"}
    body = {
        "range": span,
        "targets": [{"target": "event_counts", "refId": "A", "payload": {"interval": "1h", **payload}}],
    }
    (target,) = parse_query(Members(body), None)
    assert target.counting.interval == HOUR
    return list(series_of(counts, target))


NOON = datetime.datetime(2016, 10, 31, 12)
ELEVEN = 1477911600000
PERIODS = [ELEVEN + hours * 3_600_000 for hours in range(4)]


def test_periods_without_events_are_zeros():
    (made,) = make_series([EventCount(NOON, None, False, 5)], {})
    assert made == {
        "target": "event_counts",
        "refId": "A",
        "datapoints": [[count, start] for count, start in zip([0, 5, 0, 0], PERIODS, strict=True)],
    }


def test_without_events_and_groups_there_is_a_line_at_zero():
    assert [made["datapoints"] for made in make_series([], {})] == [[[0, start] for start in PERIODS]]
    assert make_series([], {"group_by": "event_type"}) == []


def test_each_group_is_a_series_the_largest_first_and_the_others_last():
    counts = [
        EventCount(NOON - HOUR, "small", False, 1),
        EventCount(NOON, "large", False, 2),
        EventCount(NOON, "", False, 1),
        EventCount(NOON, None, True, 9),
        EventCount(NOON + HOUR, "large", False, 2),
        EventCount(NOON + HOUR, None, False, 3),
    ]
    made = make_series(counts, {"group_by": "state"})
    assert [each["target"] for each in made] == ["large", "no state", "small", '""', "other"]
    assert [count for count, _ in made[0]["datapoints"]] == [0, 2, 2, 0]


def test_every_type_of_trait_has_a_column():
    values = {TraitType.TEXT: "x", TraitType.INTEGER: 1, TraitType.FLOAT: 1.5, TraitType.DATETIME: TIME}
    for kind, value in values.items():
        assert events_table([event(("a", kind, value))], (), "")["rows"][0][4] is not None
