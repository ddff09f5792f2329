# SPDX-License-Identifier: Apache-2.0
"""Events become CSV that a spreadsheet opens without running any part of it."""

import csv
import datetime
import io
import json
import re
from pathlib import Path

import pytest

from panko.api.tables import render_csv
from panko.storage.models import Event, Trait, TraitType
from panko.storage.serialization import serialize_event

NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, 5)
TEXT, INTEGER, FLOAT, DATETIME = TraitType


def text(name, value):
    return Trait(name, TEXT, value)


def rows(*events, columns=None):
    """Return the rows of some events, by way of the encoded text."""
    lines = b"".join(render_csv(map(serialize_event, events), columns)).decode()
    return list(csv.reader(io.StringIO(lines, newline=""), strict=True))


def event(*traits, message_id="id", event_type="kind", raw=None):
    return Event(message_id, event_type, NOON, traits, raw or {})


def test_no_events_are_the_names_of_the_columns():
    assert b"".join(render_csv([], None)) == (
        b"message_id,event_type,generated,project_id,user_id,resource_id,traits\r\n"
    )


def test_each_event_is_a_row_with_its_owner_its_subject_and_all_traits():
    given = event(text("project_id", "p"), text("resource_id", "r"), Trait("vcpus", INTEGER, 4))
    header, row = rows(given)
    assert dict(zip(header, row, strict=True)) == {
        "message_id": "id",
        "event_type": "kind",
        "generated": "2026-01-02T12:00:00.000005",
        "project_id": "p",
        "user_id": "",
        "resource_id": "r",
        "traits": '{"project_id":"p","resource_id":"r","vcpus":"4"}',
    }


def test_the_client_chooses_the_columns():
    header, row = rows(event(text("b", "1"), text("c", "2")), columns=("b", "a"))
    assert header == ["message_id", "event_type", "generated", "b", "a"]
    assert row == ["id", "kind", "2026-01-02T12:00:00.000005", "1", ""]


def test_the_values_of_a_trait_share_a_cell():
    given = event(text("a", "1"), text("a", "1"), text("a", "2"), text("b", ""), text("b", "x"))
    assert rows(given, columns=["a"])[1][3:] == ["1; 1; 2"]
    assert json.loads(rows(given)[1][-1]) == {"a": ["1", "1", "2"], "b": ["", "x"]}


def test_commas_quotes_and_lines_are_quoted():
    values = ["a,b", 'say "no"', "two\r\nlines", "two\nlines", "carriage\rreturn", " spaces ", "é\u2028\U0001f600", ""]
    names = [f"n{number}" for number in range(len(values))]
    given = event(*map(text, names, values))
    assert rows(given, columns=names)[1][3:] == values
    assert b'"say ""no"""' in b"".join(render_csv([serialize_event(given)], names))


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_text_that_looks_like_a_formula_is_text(begin):
    formula = f"{begin}cmd|' /C calc'!A0"
    given = event(text("a", formula), text(formula, "1"), message_id=formula, event_type=formula)
    header, row = rows(given, columns=["a", formula])
    assert header == ["message_id", "event_type", "generated", "a", f"'{formula}"]
    assert row[:2] == [f"'{formula}"] * 2
    assert row[3:] == [f"'{formula}", "1"]
    assert rows(given)[1][-1].startswith("{")


def test_numbers_stay_numbers():
    given = event(
        Trait("integer", INTEGER, -1), Trait("float", FLOAT, -1.5), text("text", "-1.5"), Trait("time", DATETIME, NOON)
    )
    cells = rows(given, columns=["integer", "float", "text", "time"])[1][3:]
    assert cells == ["-1", "-1.5", "'-1.5", "2026-01-02T12:00:00.000005"]


def test_several_values_that_begin_with_a_number_are_text():
    given = event(Trait("a", INTEGER, -1), text("a", "=1"))
    assert rows(given, columns=["a"])[1][3:] == ["'-1; =1"]


def test_the_notification_is_not_parsed():
    document = serialize_event(event(text("a", "1"))).replace(b'"raw":{}', b'"raw":' + b"[" * 5000 + b"]" * 5000)
    assert b"".join(render_csv([document], ["a"])).endswith(b",1\r\n")


def test_the_documented_tables_are_what_is_sent():
    page = (Path(__file__).parents[3] / "doc/source/query/formats.rst").read_text()
    blocks = re.findall(r"^    (message_id,.*)\n    (.*)\n", page, re.MULTILINE)
    given = Event(
        "4f1b4bcd",
        "compute.instance.update",
        datetime.datetime(2026, 1, 2, 3, 4, 5),
        [
            *(text("project_id", "eb170801"), text("user_id", "9a3c"), text("resource_id", "0d7b")),
            *(text("display_name", "web-1"), text("state", "active"), Trait("vcpus", INTEGER, 2)),
        ],
    )
    (header, row), named = blocks
    *cells, traits = next(csv.reader([row]))
    all_cells = next(csv.DictReader([header, *render_to_text(given, None)[1:]]))
    assert [*cells, traits] == [*list(all_cells.values())[:-1], traits]
    assert json.loads(traits).items() <= json.loads(all_cells["traits"]).items()
    assert render_to_text(given, ("display_name", "state", "vcpus")) == list(named)


def render_to_text(given, columns):
    return b"".join(render_csv([serialize_event(given)], columns)).decode().splitlines()
