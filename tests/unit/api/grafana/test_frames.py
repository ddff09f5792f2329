# SPDX-License-Identifier: Apache-2.0
"""Events become tables and annotations, and counts become time series."""

import datetime

from panko.api.grafana.frames import (
    MAX_ANNOTATION_CHARACTERS,
    MAX_COLUMNS,
    make_annotations,
    make_annotations_table,
    make_events_table,
    make_series,
)
from panko.api.grafana.regions import Region
from panko.api.grafana.request import JsonObject
from panko.api.grafana.targets import parse_query
from panko.storage.aggregates import EventCount
from panko.storage.models import Event, Trait, TraitType
from panko.storage.validation import checked_event

TIME = datetime.datetime(2016, 10, 31, 12, 0, 0, 500999)
MILLISECONDS = 1477915200500
HOUR = datetime.timedelta(hours=1)


def event(*traits, message_id="m", event_type="kind", time=TIME):
    return checked_event(Event(message_id, event_type, time, [Trait(*trait) for trait in traits]))


def columns(table):
    return {column["text"]: column["type"] for column in table["columns"]}


def test_a_table_has_a_typed_column_for_each_trait():
    traits = [("n", 2, 4), ("f", 3, 0.5), ("s", 1, "x"), ("t", 4, TIME), ("project_id", 1, "p")]
    table = make_events_table([event(*traits), event()], (), "A")
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


def test_chosen_traits_are_columns_in_that_order_even_if_no_event_has_them():
    table = make_events_table([event(("a", 2, 1), ("b", 2, 2))], ("z", "b"), "")
    assert list(columns(table))[4:] == ["traits.z", "traits.b"]
    assert table["rows"][0][4:] == [None, 2]


def test_a_column_of_several_types_is_text_unless_all_are_numbers():
    table = make_events_table([event(("a", 2, 1), ("b", 2, 1)), event(("a", 3, 0.5), ("b", 4, TIME))], (), "")
    assert [columns(table)[name] for name in ("traits.a", "traits.b")] == ["number", "string"]
    assert [row[5] for row in table["rows"]] == ["1", "2016-10-31T12:00:00.500999Z"]


def test_of_several_traits_of_a_name_the_first_recorded_is_shown():
    several = event(("a", 1, "z"), ("a", 1, "b"), ("project_id", 2, 5), ("project_id", 1, "p"))
    assert make_events_table([several], ("a",), "")["rows"][0][3:] == ["p", "z"]


def test_only_the_traits_that_most_events_have_are_columns():
    many = [event(*((f"t{number}-{each}", 2, 1) for each in range(100)), ("common", 2, 1)) for number in range(5)]
    names = list(columns(make_events_table(many, (), "")))
    assert len(names) == 4 + MAX_COLUMNS
    assert "traits.common" in names


def test_annotations_have_the_columns_that_grafana_maps():
    table = make_annotations_table([event(("project_id", 1, "p"), ("n", 2, 4)), event()], ("n",), "A")
    assert columns(table) == {"time": "time", "title": "string", "text": "string", "tags": "string"}
    assert table["rows"] == [[MILLISECONDS, "kind", "n=4", "kind,p"], [MILLISECONDS, "kind", "", "kind"]]


def test_annotations_of_regions_have_an_end_if_there_is_one():
    begin = event(("request_id", 1, "r"), ("project_id", 1, "p"), event_type="a.start")
    end = event(("request_id", 1, "r"), ("n", 2, 4), event_type="a.end", time=TIME + HOUR)
    region = Region(".start", (".end",), "request_id")
    table = make_annotations_table([end, begin, event()], ("n",), "A", region)
    assert columns(table)["timeEnd"] == "time"
    assert table["rows"] == [
        [MILLISECONDS, "a.start - a.end", "n=4", "a.start,p", MILLISECONDS + 3600_000],
        [MILLISECONDS, "kind", "", "kind", None],
    ]
    assert ["timeEnd" in each for each in make_annotations([end, begin, event()], (), region)] == [True, False]


def test_the_text_of_an_annotation_is_truncated():
    (made,) = make_annotations([event(("a", 1, "x" * 5000))], ())
    assert len(made["text"]) == MAX_ANNOTATION_CHARACTERS + 1
    assert made["tags"] == ["kind"]


def series_of(counts, payload):
    span = {"from": "2016-10-31T11:30:00Z", "to": "2016-10-31T15:30:00+01:00"}
    body = {
        "range": span,
        "targets": [{"target": "event_counts", "refId": "A", "payload": {"interval": "1h", **payload}}],
    }
    (target,) = parse_query(JsonObject(body), None)
    assert target.interval == HOUR
    return list(make_series(counts, target))


NOON = datetime.datetime(2016, 10, 31, 12)
ELEVEN = 1477911600000
PERIODS = [ELEVEN + hours * 3_600_000 for hours in range(4)]


def test_periods_without_events_are_zeros():
    (made,) = series_of([EventCount(NOON, None, False, 5)], {})
    assert made == {
        "target": "event_counts",
        "refId": "A",
        "datapoints": [[count, start] for count, start in zip([0, 5, 0, 0], PERIODS, strict=True)],
    }


def test_without_events_and_groups_there_is_a_line_at_zero():
    assert [made["datapoints"] for made in series_of([], {})] == [[[0, start] for start in PERIODS]]
    assert series_of([], {"group_by": "event_type"}) == []


def test_each_group_is_a_series_the_largest_first_and_other_last():
    counts = [
        EventCount(NOON - HOUR, "small", False, 1),
        EventCount(NOON, "large", False, 2),
        EventCount(NOON, "", False, 1),
        EventCount(NOON, None, True, 9),
        EventCount(NOON + HOUR, "large", False, 2),
        EventCount(NOON + HOUR, None, False, 3),
    ]
    made = series_of(counts, {"group_by": "state"})
    assert [each["target"] for each in made] == ["large", "no state", "small", '""', "other"]
    assert [count for count, _ in made[0]["datapoints"]] == [0, 2, 2, 0]


def test_every_type_of_trait_has_a_column():
    values = {TraitType.TEXT: "x", TraitType.INTEGER: 1, TraitType.FLOAT: 1.5, TraitType.DATETIME: TIME}
    for kind, value in values.items():
        assert make_events_table([event(("a", kind, value))], (), "")["rows"][0][4] is not None
