# SPDX-License-Identifier: Apache-2.0
"""The columns of ``openstack event``: text for people, structures for programs."""

import csv
import io
import json

import pytest
import yaml

from tests.functional.osc.conftest import add, openstack_for

EVENTS = [
    {
        "message_id": "named",
        "event_type": "compute.instance.create.end",
        "generated": "2026-01-02T03:04:05.678901",
        "traits": [
            *[["display_name", 1, "web-1"], ["resource_id", 1, "r1"], ["project_id", 1, "p1"], ["user_id", 1, "u1"]],
            *[["vcpus", 2, 4], ["load", 3, 0.5], ["tag", 1, "a"], ["tag", 1, "b"]],
        ],
        "raw": {"payload": {"number": 2}},
    },
    {
        "message_id": "nameless",
        "event_type": "image.update",
        "generated": "2026-01-02T03:05:00",
        "traits": [["resource_id", 1, "r2"], ["display_name", 1, ""]],
    },
    {
        "message_id": "hostile",
        "event_type": "volume.create.end",
        "generated": "2026-01-02T03:06:00",
        "traits": [["name", 1, "\x1b[2J\nx\x9b1m"], ["user_id", 1, "u3"]],
    },
]
TRAITS = [
    {"name": "display_name", "value": "", "type": "string"},
    {"name": "resource_id", "value": "r2", "type": "string"},
]
LIST = ("event", "list", "--all-projects")


@pytest.fixture(scope="module")
def openstack(serve):
    with serve() as server:
        add(server, *EVENTS)
        yield openstack_for(server)


def cells(table):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]


def test_a_table_has_one_line_per_event(openstack):
    assert cells(openstack.run(*LIST).out) == [
        ["Generated", "Event Type", "Resource", "Project", "User"],
        ["2026-01-02T03:04:05.678901", "compute.instance.create.end", "web-1", "p1", "u1"],
        ["2026-01-02T03:05:00", "image.update", "r2", "", ""],
        ["2026-01-02T03:06:00", "volume.create.end", r"\x1b[2J\nx\x9b1m", "", "u3"],
    ]


def test_traits_become_columns(openstack):
    listing = (*LIST, "--trait", "vcpus", "--trait", "tag", "--trait", "vcpus")
    assert cells(openstack.run(*listing, "--limit", "2").out) == [
        ["Generated", "Event Type", "vcpus", "tag"],
        ["2026-01-02T03:04:05.678901", "compute.instance.create.end", "4", "a; b"],
        ["2026-01-02T03:05:00", "image.update", "", ""],
    ]
    first, second, _ = openstack.rows(*listing)
    assert first == {
        "Message ID": "named",
        "Generated": "2026-01-02T03:04:05.678901",
        "Event Type": "compute.instance.create.end",
        "vcpus": 4,
        "tag": ["a", "b"],
    }
    assert (second["vcpus"], second["tag"]) == (None, None)
    assert openstack.run(*listing, "--limit", "1", "-f", "value", "-c", "tag", "-c", "vcpus").out == "4 a; b\n"


def test_long_shows_everything(openstack):
    head, *rows = cells(openstack.run(*LIST, "--long", "--limit", "1", "--trait", "load").out)
    assert head == ["Message ID", "Generated", "Event Type", "Resource", "Project", "User", "load", "Traits", "Raw"]
    assert rows[0][6:] == ["0.5", "display_name=web-1", '{"payload": {"number": 2}}']
    lines = ["display_name=web-1", "load=0.5", "project_id=p1", "resource_id=r1", "tag=a", "tag=b", "user_id=u1"]
    assert [row[7] for row in rows] == [*lines, "vcpus=4"]


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_formats_with_objects_have_structures(openstack, form, load):
    listing = (*LIST, "--where", "message_id = nameless", "-f", form)
    (row,) = load(openstack.run(*listing).out)
    assert row == {
        "Message ID": "nameless",
        "Generated": "2026-01-02T03:05:00",
        "Event Type": "image.update",
        "Resource": "r2",
        "Project": None,
        "User": None,
        "Traits": TRAITS,
    }
    (row,) = load(openstack.run(*listing, "--long").out)
    assert (row["Traits"], row["Raw"]) == (TRAITS, {})
    (row,) = load(openstack.run(*listing, "--short").out)
    assert set(row) == {"Generated", "Event Type", "Resource", "Project", "User"}


def test_formats_without_objects_have_json(openstack):
    listing = (*LIST, "--long", "--where", "message_id = named", "-f")
    (row,) = csv.DictReader(io.StringIO(openstack.run(*listing, "csv").out))
    assert {"name": "vcpus", "value": "4", "type": "integer"} in json.loads(row["Traits"])
    assert json.loads(row["Raw"]) == {"payload": {"number": 2}}
    assert openstack.run(*listing, "value", "-c", "raw").out == '{"payload": {"number": 2}}\n'


def test_any_column_can_be_chosen(openstack):
    assert openstack.run(*LIST, "-f", "value", "-c", "message_id").out.split() == ["named", "nameless", "hostile"]
    assert cells(openstack.run(*LIST, "-c", "Message ID", "-c", "user").out)[1] == ["named", "u1"]


def test_show_has_structures_in_formats_with_objects(openstack):
    show = ("event", "show", "nameless", "--all-projects")
    assert openstack.rows(*show) == {
        "event_type": "image.update",
        "generated": "2026-01-02T03:05:00",
        "message_id": "nameless",
        "raw": {},
        "traits": TRAITS,
    }
    assert json.loads(openstack.run(*show, "-f", "value", "-c", "traits").out) == TRAITS
    assert ["traits", "display_name="] in cells(openstack.run(*show).out)
    # Scripts for pankoclient expect JSON in all formats.
    old = openstack.rows(*show, "--pankoclient")
    assert json.loads(old["traits"]) == TRAITS
    assert old["raw"] == {}


def test_events_are_counted(openstack):
    assert openstack.rows("event", "count", "list", "--all-projects") == [{"Count": 3}]
    counts = ("event", "count", "list", "--all-projects", "--group-by", "user_id")
    grouped = openstack.rows(*counts, "--top", "1", "--interval", "1d")
    assert [row["Count"] for row in grouped] == [1, 2]
    assert grouped[0] == {"Start": "2026-01-02T00:00:00", "Group": grouped[0]["Group"], "Other": False, "Count": 1}
    assert (grouped[1]["Group"], grouped[1]["Other"]) == (None, True)
    assert openstack.rows(*counts, "--where", "vcpus > 3") == [{"Group": "u1", "Other": False, "Count": 1}]
    assert openstack.rows(*counts, "--type", "image.update", "--until", "2026-01-02") == []


@pytest.mark.parametrize("interval", ["0s", "0.5s", "1.0001s", "soon"])
def test_an_interval_is_a_number_of_seconds(openstack, interval):
    done = openstack.run("event", "count", "list", "--interval", interval)
    assert (done.code, done.out) == (2, "")
    assert f"argument --interval: '{interval}' is not a " in done.err


def test_values_of_a_trait_are_listed(openstack):
    values = ("event", "trait", "value", "list", "compute.instance.create.end")
    row = {"Type": "integer", "Count": 1, "Last": "2026-01-02T03:04:05.678901"}
    assert openstack.rows(*values, "vcpus", "--all-projects", "--where", "tag = b") == [{"Value": 4, **row}]
    assert openstack.rows(*values, "vcpus", "--all-projects", "--until", "2026-01-02") == []
    done = openstack.run(*values, "tag", "--all-projects", "--limit", "1", "--sort", "last", "-f", "value")
    assert len(done.out.splitlines()) == 1
    assert done.err.startswith("These are values of the newest 1 events; there may be others.")
