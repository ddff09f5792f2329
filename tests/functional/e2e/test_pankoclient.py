# SPDX-License-Identifier: Apache-2.0
"""python-pankoclient 1.2, the client of Panko 10.0, with a real Keystone and a real panko-api."""

import json
import re

import pytest

from tests.functional.e2e.command import EVENTS, ODD_ID, TYPES

SORTS = "the supported sort keys are: ('message_id', 'generated')"


@pytest.fixture(scope="module")
def boss(cloud, pankoclient):
    """An administrator's openstack command."""
    return cloud.openstack(pankoclient)


def test_list_has_events_of_the_project_and_unowned_ones(boss):
    rows = boss.rows("event", "list")
    assert {row["message_id"] for row in rows} == {ODD_ID, *(f"e{n:02}" for n in range(EVENTS) if n % 3 != 1)}
    assert list(rows[1]) == ["event_type", "generated", "message_id", "traits:name", "traits:value", "traits:type"]
    assert rows[1]["generated"] == "2026-01-02T03:02:00"
    assert rows[1]["traits:name"].split("\n") == ["launched_at", "name", "number", "progress", "vcpus"]
    assert rows[1]["traits:value"].split("\n") == ["2026-01-01T03:02:00", "vm 2", "2", "1.0", "2"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--limit", "2"], ["e00", "e02"]),
        (["--limit", "2", "--marker", "e02"], ["e03", "e05"]),
        (["--sort", "generated:desc", "--limit", "3"], [ODD_ID, "e23", "e21"]),
        (["--sort", "message_id:desc", "--sort", "generated", "--limit", "2"], [ODD_ID, "e23"]),
        (["--filter", "event_type=image.update", "--limit", "2"], ["e03", "e05"]),
        (["--filter", "number=14"], ["e14"]),
        (["--filter", "number=14", "--filter", "event_type=volume.create.end"], []),
        (["--filter", "all_tenants=True", "--limit", "2"], ["e00", "e01"]),
        (["--filter", "message_id=e21"], ["e21"]),
        (["--filter", "vcpus=14"], []),
    ],
)
def test_it_pages_sorts_and_filters(boss, arguments, expected):
    assert boss.ids(*arguments) == expected


def test_it_shows_an_event(boss):
    event = boss.rows("event", "show", "e02")
    assert event["raw"] == {"payload": {"number": 2}}
    assert {"name": "vcpus", "value": "2", "type": "integer"} in json.loads(event["traits"])


def test_it_lists_types_traits_and_capabilities(boss):
    assert {row["Event Type"] for row in boss.rows("event", "type", "list")} > set(TYPES)
    traits = boss.rows("event", "trait", "description", "image.update")
    assert {"name": "vcpus", "type": "integer"} in traits
    assert {"name": "progress", "value": "1.5", "type": "float"} in boss.rows(
        "event", "trait", "list", "image.update", "progress"
    )
    assert boss.rows("event", "capabilities", "list")["api"] == {"events:query:simple": True}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["show", "nope"], "Event nope Not Found (HTTP 404) (Request-ID: N)"),
        (["list", "--marker", "nope"], "Marker nope not found. (HTTP 400) (Request-ID: N)"),
        (["list", "--limit", "-1"], "the limit should be a positive integer. (HTTP 400) (Request-ID: N)"),
        (["list", "--sort", "number"], f"{SORTS} (HTTP 400) (Request-ID: N)"),
        (["list", "--filter", "start_timestamp=2026-01-02"], "field start_timestamp (HTTP 400) (Request-ID: N)"),
        # It does not percent-encode its requests.
        (["list", "--filter", "name=a&b"], 'Unknown argument: "b" (HTTP 400) (Request-ID: N)'),
    ],
)
def test_refusal_is_one_line(boss, arguments, expected):
    assert boss.refusal("event", *arguments).endswith(expected)


def test_a_member_is_limited_to_what_is_their_own(cloud, pankoclient):
    alice = cloud.openstack(pankoclient, "alice")
    assert alice.ids("--limit", "2") == ["e00", "e03"]
    refused = r"Not Authorized to access project \w+ \(HTTP 401\) \(Request-ID: N\)"
    assert re.fullmatch(refused, alice.refusal("event", "type", "list"))
    assert "(HTTP 403)" in alice.refusal("event", "list", "--filter", "all_tenants=True")


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--limit", "2"],
        ["list", "--filter", "event_type=volume.create.end", "--sort", "generated:desc", "-f", "csv"],
        ["list", "--marker", "e02", "--limit", "1", "-f", "json"],
        ["list", "--filter", "number=none"],
        ["show", "e03"],
        ["show", "e02", "-f", "json"],
        ["type", "list"],
        ["trait", "description", "image.update"],
        ["trait", "list", "image.update", "name"],
        ["capabilities", "list", "-f", "json"],
        ["show", "nope"],
        ["list", "--sort", "generated:up"],
    ],
    ids=" ".join,
)
def test_the_plugin_writes_the_same(cloud, pankoclient, plugin, arguments):
    same = ["--pankoclient"] if arguments[0] in ("list", "show", "trait") else []
    theirs = cloud.openstack(pankoclient).run("event", *arguments)
    ours = cloud.openstack(plugin).run("event", *arguments, *same)
    assert ours.stdout == theirs.stdout
    assert ours.returncode == theirs.returncode
    assert _without_new(ours.stderr) == _without_new(theirs.stderr)


def _without_new(text):
    """Return a text with N instead of request ids, and without the line that pankoclient does not write."""
    return re.sub("There are more events.*\n|req-[0-9a-f-]{36}", lambda found: "N" * found[0].startswith("req"), text)
