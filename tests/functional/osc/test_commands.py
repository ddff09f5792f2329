# SPDX-License-Identifier: Apache-2.0
"""``openstack event`` lists and shows what a real panko-api without Keystone has."""

import csv
import datetime
import importlib.metadata
import io
import json
import shlex

import pytest

from tests.functional.cmd.processes import free_port
from tests.functional.osc.conftest import MORE, OpenStack, add, answer_as_panko_10, openstack_for, pass_on, proxy_of

START = datetime.datetime(2026, 1, 2, 3)
TYPES = ("compute.instance.create.end", "image.update")
COUNT = 6
ODD = "odd ?#&%2B+=é"
ALL = [f"e{number}" for number in range(COUNT)] + [ODD]
OTHERS = "e1"
"""The event of another project than that of the command."""


def event(number):
    when = START + datetime.timedelta(minutes=number)
    traits = [["number", 1, str(number)], ["progress", 3, number / 2], ["vcpus", 2, number]]
    owner = [["project_id", 1, "other"]] if number == 1 else []
    return {
        "message_id": ALL[number],
        "event_type": ODD if number == COUNT else TYPES[number // 3],
        "generated": when.isoformat(),
        "traits": [*traits, *owner],
        "raw": {"payload": {"number": number}} if number == 2 else {},
    }


@pytest.fixture(scope="module")
def server(serve):
    """A service with a few events."""
    with serve() as server:
        add(server, *map(event, range(COUNT + 1)))
        yield server


@pytest.fixture
def openstack(server):
    """The command of an administrator."""
    return openstack_for(server)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [name for name in ALL if name != OTHERS]),
        (["--all-projects"], ALL),
        (["--newest", "--limit", "2"], [ODD, "e5"]),
        (["--sort", "generated:desc", "--limit", "1"], [ODD]),
        (["--marker", "e4"], ["e5", ODD]),
        (["--since", "2026-01-02T03:04:00", "--until", "2026-01-02T04:05:00+01:00"], ["e4", "e5"]),
        (["--since", "2h"], []),
        (["--since", "yesterday"], []),
        (["--where", "vcpus >= 3 AND NOT progress > 2"], ["e3", "e4"]),
        (["--where", "event_type = image.*", "--where", "number = (3 OR 5)"], ["e3", "e5"]),
        (["--where", "vcpus > 3", "--filter", "vcpus<6", "--type", TYPES[1], "--newest"], ["e5", "e4"]),
        (["--until", "1s", "--limit", "1"], ["e0"]),
        (["--type", TYPES[1], "--type", ODD], ["e3", "e4", "e5", ODD]),
        (["--type", ODD], [ODD]),
        (["--all"], [name for name in ALL if name != OTHERS]),
        (["--all", "--all-projects", "--newest", "--marker", "e2"], [OTHERS, "e0"]),
        (["--all", "--type", "none"], []),
        (["--filter", "vcpus>=5"], ["e5", ODD]),
        (["--filter", "vcpus!=0", "--filter", "progress<1.5"], ["e2"]),
        (["--filter", "float::progress>2"], ["e5", ODD]),
        (["--filter", "number='3'"], ["e3"]),
        (["--filter", f"event_type={TYPES[1]}", "--filter", "vcpus<4"], ["e3"]),
    ],
    ids=" ".join,
)
def test_a_list_is_selected_sorted_and_paged(openstack, arguments, expected):
    assert openstack.ids(*arguments) == expected


def test_all_events_are_read_a_page_at_a_time(openstack, monkeypatch):
    monkeypatch.setattr("panko.osc.client.PAGE_SIZE", 2)
    assert openstack.ids("--all", "--all-projects", "--newest") == ALL[::-1]


@pytest.mark.parametrize(
    ("ask", "links"), [(pass_on, 3), (answer_as_panko_10, 0)], ids=["behind a proxy", "of Panko 10"]
)
def test_all_events_are_read_from_the_clients_own_endpoint(server, monkeypatch, ask, links):
    """The links of the service have its own address, which clients may not be able to reach."""
    monkeypatch.setattr("panko.osc.client.PAGE_SIZE", 2)
    with proxy_of(server, ask) as (openstack, paths):
        assert openstack.ids("--all", "--all-projects", "--sort", "message_id", "--marker", "e0") == ALL[1:]
        assert len(paths) == 3 + (not links)
        assert sum("after=" in path for path in paths) == (2 if links else 0)
        assert openstack.run("event", "list", "--limit", "2").err.startswith(MORE) == bool(links)


def test_a_list_says_that_there_are_more_events_and_how_to_see_them(openstack):
    listing = ("event", "list", "--all-projects", "-f", "value", "-c", "message_id")
    done = openstack.run(*listing, "--limit", "3")
    assert (done.code, done.out.splitlines()) == (0, ALL[:3])
    assert done.err == f"{MORE} To see them, add --all, a larger --limit, or --marker e2.\n"
    assert openstack.run(*listing, "--limit", "3", "--quiet").err == ""
    # The marker is written as the shell needs it.
    assert openstack.run(*listing, "--newest", "--limit", "1").err.endswith(f"or --marker {shlex.quote(ODD)}.\n")


@pytest.mark.parametrize("arguments", [["--all"], [], ["--limit", str(COUNT + 1)], ["--marker", "e3", "--limit", "3"]])
def test_a_list_with_all_events_says_nothing(openstack, arguments):
    assert openstack.run("event", "list", "--all-projects", *arguments).err == ""


def test_a_list_for_pankoclient_has_a_column_for_each_part_of_the_traits(openstack):
    listing = ("event", "list", "--limit", "1", "-f", "csv", "--pankoclient")
    (row,) = csv.DictReader(io.StringIO(openstack.run(*listing).out))
    expected = {
        "event_type": TYPES[0],
        "generated": "2026-01-02T03:00:00",
        "message_id": "e0",
        "traits:name": "number\nprogress\nvcpus",
        "traits:value": "0\n0.0\n0",
        "traits:type": "string\nfloat\ninteger",
    }
    assert row == expected
    (row,) = csv.DictReader(io.StringIO(openstack.run(*listing, "--long").out))
    assert row == {**expected, "raw": "{}"}


def test_an_empty_list_explains_a_guessed_type(openstack):
    done = openstack.run("event", "list", "--filter", "number=3", "--filter", "progress=2.0", "-f", "csv")
    assert (done.code, len(done.out.splitlines())) == (0, 1)
    first, second = done.err.splitlines()
    assert first.startswith("No events: number was compared with traits of the type integer.")
    assert "as in float::number" in first
    assert second.startswith("No events: progress was compared with traits of the type float.")
    assert "as in integer::progress" in second


@pytest.mark.parametrize("condition", ["number='x'", "integer::number=3"])
def test_an_empty_list_explains_nothing_if_no_type_was_guessed(openstack, condition):
    assert openstack.ids("--filter", condition) == []


def test_an_event_of_another_project_is_shown_only_on_request(openstack):
    assert openstack.refusal("event", "show", OTHERS).startswith(f"Event {OTHERS} Not Found (HTTP 404) (Request-ID: ")
    assert openstack.rows("event", "show", OTHERS, "--all-projects")["generated"] == "2026-01-02T03:01:00"


def test_event_types_and_traits_are_listed(openstack):
    assert openstack.rows("event", "type", "list") == [{"Event Type": name} for name in (*TYPES, ODD)]
    described = openstack.rows("event", "trait", "description", TYPES[1])
    types = {"number": "string", "progress": "float", "vcpus": "integer"}
    assert sorted(described, key=lambda row: row["Name"]) == [{"Name": name, "Type": types[name]} for name in types]
    values = openstack.rows("event", "trait", "list", TYPES[1], "vcpus")
    assert values == [{"Name": "vcpus", "Value": number, "Type": "integer"} for number in (3, 4, 5)]


def test_traits_for_pankoclient_are_texts(openstack):
    described = openstack.rows("event", "trait", "description", ODD, "--pankoclient")
    assert {"name": "vcpus", "type": "integer"} in described
    values = openstack.rows("event", "trait", "list", ODD, "vcpus", "--pankoclient")
    assert values == [{"name": "vcpus", "value": "6", "type": "integer"}]


def test_names_are_encoded(openstack):
    assert openstack.rows("event", "show", ODD)["event_type"] == ODD
    expected = [{"Name": "vcpus", "Value": COUNT, "Type": "integer"}]
    assert openstack.rows("event", "trait", "list", ODD, "vcpus") == expected


def test_capabilities_are_objects_if_the_format_has_objects(openstack):
    capabilities = openstack.rows("event", "capabilities", "list")
    assert capabilities["api"]["events:query:simple"] is True
    text = openstack.run("event", "capabilities", "list", "-f", "value", "-c", "api").out
    assert json.loads(text) == capabilities["api"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["show", ""], "The name must not be empty."),
        (["list", "--where", "vcpus >= 4 AND"], "The filter is invalid at character 15: the text ends here, but "),
        (["count", "list", "--where", "a = (1"], "The filter is invalid at character 5: the list "),
        (["list", "--all", "--marker", "nope", "-f", "csv"], "Marker nope not found. (HTTP 400) (Request-ID: "),
    ],
)
def test_an_error_is_one_line(openstack, arguments, expected):
    assert openstack.refusal("event", *arguments).startswith(expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--filter", "vcpus"], "'vcpus' is not of the form [type::]name operator value, such as 'vcpus>=4'"),
        (["--since", "9" * 20 + "w"], "is too long"),
        (["--since", "tomorow"], "'tomorow' is not a time: expected how long ago (90s, 15m, 2h, 1.5h, "),
        (["--where", " "], "the condition is empty"),
        (["--all", "--limit", "2"], "not allowed with argument"),
        (["--newest", "--sort", "message_id"], "not allowed with argument"),
    ],
)
def test_an_error_names_an_invalid_argument(openstack, arguments, expected):
    done = openstack.run("event", "list", *arguments)
    assert (done.code, done.out) == (2, "")
    assert expected in done.err.splitlines()[-1]


def test_an_error_names_the_address_of_a_service_that_cannot_be_reached():
    nobody = f"http://127.0.0.1:{free_port()}"
    reason = "cannot be reached: [Errno 111] Connection refused"
    assert OpenStack(nobody).refusal("event", "list") == f"The event service at {nobody} {reason}"


def test_the_version_of_the_api_is_an_option_of_the_command(openstack, monkeypatch):
    unknown = "event API version 9 is not in supported versions: 2"
    assert unknown in openstack.run("--os-event-api-version", "9", "event", "type", "list").err
    monkeypatch.setenv("OS_EVENT_API_VERSION", "9")
    assert unknown in openstack.run("event", "type", "list").err


def test_it_warns_if_pankoclient_is_installed_too(openstack, tmp_path, monkeypatch):
    """The option of both is added once, else every openstack command would fail."""
    metadata = tmp_path / "pankoclient-1.2.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: pankoclient\nVersion: 1.2.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.metadata.version("pankoclient") == "1.2.0"
    done = openstack.run("event", "type", "list", "-f", "value")
    assert (done.code, done.out.splitlines()) == (0, [*TYPES, ODD])
    (line,) = done.err.splitlines()
    assert line.startswith("Warning: pankoclient 1.2.0 and panko are both installed")
    assert line.endswith("'pip uninstall pankoclient'.")
    assert openstack.run("--os-event-api-version", "2", "event", "type", "list").code == 2
