# SPDX-License-Identifier: Apache-2.0
"""``openstack event`` of Panko's plugin, with a real Keystone and a real panko-api."""

import csv
import importlib.metadata
import io
import re

import pytest

from tests.functional.cmd.processes import ROOT, free_port
from tests.functional.e2e.command import EVENTS, ODD_ID, ODD_NAME, ODD_TYPE, TYPES

EVERYTHING = [*(f"e{number:02}" for number in range(EVENTS)), ODD_ID]


@pytest.fixture(scope="module")
def admin(cloud, plugin):
    """An administrator's openstack command."""
    return cloud.openstack(plugin)


def test_no_library_of_the_server_is_installed(plugin):
    (libraries,) = plugin.parent.glob("lib/python*/site-packages")
    installed = {each.metadata["Name"].lower() for each in importlib.metadata.distributions(path=[str(libraries)])}
    assert {"panko", "python-openstackclient"} <= installed
    assert not {"sqlalchemy", "pecan", "keystonemiddleware", "oslo.db", "oslo.policy"} & installed


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["vcpus>=22"], ["e22", "e23", ODD_ID]),
        (["vcpus > 22"], ["e23", ODD_ID]),
        (["vcpus<2"], ["e00", "e01"]),
        (["vcpus<=1"], ["e00", "e01"]),
        (["vcpus=7"], ["e07"]),
        (["vcpus!=0", "vcpus<2"], ["e01"]),
        (["progress>11.0"], ["e23", ODD_ID]),
        (["float::progress>11"], ["e23", ODD_ID]),
        (["launched_at>=2026-01-01T03:23:00Z"], ["e23", ODD_ID]),
        (["number='7'"], ["e07"]),
        (["string::number=7"], ["e07"]),
        ([f"name={ODD_NAME}"], ["e05"]),
        (["name=vm 3"], ["e03"]),
        (["event_type=image.update", "vcpus<5"], ["e03", "e04"]),
        (["start_timestamp>=2026-01-02T03:23:00"], ["e23", ODD_ID]),
        (["integer::progress>0"], []),
    ],
    ids=" ".join,
)
def test_filters_compare_by_type_with_all_operators(admin, conditions, expected):
    filters = [part for condition in conditions for part in ("--filter", condition)]
    assert admin.ids("--all-projects", *filters) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [event for number, event in enumerate(EVERYTHING) if number % 3 != 1 or event == ODD_ID]),
        (["--newest", "--limit", "2"], [ODD_ID, "e23"]),
        (["--since", "2026-01-02T03:22:00", "--until", "2026-01-02T04:23:00+01:00"], ["e23"]),
        (["--since", "2h"], []),
        (["--until", "1w", "--limit", "1"], ["e00"]),
        (["--type", TYPES[0], "--type", TYPES[1], "--newest", "--limit", "2"], ["e23", "e21"]),
        (["--type", ODD_TYPE], [ODD_ID]),
        (["--where", f'event_type = "{ODD_TYPE}" OR (name = "vm 3" AND launched_at : *)'], ["e03", ODD_ID]),
        (["--marker", ODD_ID, "--newest", "--limit", "1"], ["e23"]),
        (["--all", "--all-projects"], EVERYTHING),
        (["--all", "--all-projects", "--newest", "--marker", "e02"], ["e01", "e00"]),
        (["--all", "--type", "none"], []),
    ],
    ids=" ".join,
)
def test_a_list_is_selected_sorted_and_paged(admin, arguments, expected):
    assert admin.ids(*arguments) == expected


def test_a_list_says_that_there_are_more_events(admin):
    done = admin.run("event", "list", "--all-projects", "--limit", "2", "-f", "value", "-c", "message_id")
    assert (done.returncode, done.stdout) == (0, "e00\ne01\n")
    assert done.stderr == "There are more events. To see them, add --all, a larger --limit, or --marker e01.\n"


def test_an_empty_list_explains_a_guessed_type(admin):
    done = admin.run("event", "list", "--filter", "number=7", "-f", "csv")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("No events: number was compared with traits of the type integer.")


def test_long_adds_the_notification(admin):
    (row,) = admin.rows("event", "list", "--filter", "message_id=e02", "--long")
    assert row["Raw"] == {"payload": {"number": 2}}
    text = admin.run("event", "list", "--filter", "message_id=e02", "--long", "-f", "csv").stdout
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["Raw"] == '{"payload": {"number": 2}}'
    assert "\n  Raw:\n    payload:\n      number: 2\n" in admin.run("event", "list", "--long", "-f", "yaml").stdout


def test_an_administrator_can_show_an_event_of_another_project(admin):
    assert admin.refusal("event", "show", "e01") == "Event e01 Not Found (HTTP 404) (Request-ID: N)"
    assert admin.rows("event", "show", "e01", "--all-projects")["generated"] == "2026-01-02T03:01:00"


def test_names_are_encoded(admin):
    assert admin.rows("event", "show", ODD_ID)["event_type"] == ODD_TYPE
    assert admin.rows("event", "trait", "list", ODD_TYPE, "vcpus") == [
        {"Name": "vcpus", "Value": EVENTS, "Type": "integer"}
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["show", ""], "The name must not be empty."),
        (["list", "--where", "vcpus >= 4 AND"], "The filter is invalid at character 15: the text ends here, but "),
        (["list", "--all", "--marker", "nope", "-f", "csv"], "Marker nope not found. (HTTP 400) (Request-ID: N)"),
        (["watch", "--filter", "event_type>x"], "Operator gt is not supported."),
    ],
)
def test_an_error_is_one_line(admin, arguments, expected):
    assert admin.refusal("event", *arguments).startswith(expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--filter", "vcpus"], "'vcpus' is not of the form [type::]name operator value, such as 'vcpus>=4'"),
        (["--filter", "int::vcpus=1"], "is not one of the types string, integer, float, datetime"),
        (["--since", "9" * 20 + "w"], "is too long"),
        (["--all", "--limit", "2"], "not allowed with argument"),
    ],
)
def test_an_error_names_an_invalid_argument(admin, arguments, expected):
    done = admin.run("event", "list", *arguments)
    assert done.returncode == 2
    assert expected in done.stderr.splitlines()[-1]


def test_the_caller_decides_which_events_are_visible(cloud, plugin):
    alice = cloud.openstack(plugin, "alice")
    assert alice.ids("--limit", "2") == ["e00", "e03"]
    assert "(HTTP 403)" in alice.refusal("event", "list", "--all-projects")
    assert "(HTTP 401)" in alice.refusal("event", "type", "list")
    auditor = cloud.openstack(plugin, "auditor", system_scope="all")
    assert auditor.ids("--limit", "1") == ["e02"]
    assert auditor.ids("--all-projects", "--limit", "1") == ["e00"]


def test_an_application_credential_is_as_good_as_a_password(cloud, plugin):
    identifier, secret = cloud.keystone.application_credential("alice", "demo")
    alice = cloud.openstack(plugin, "alice")
    alice.variables.clear()
    alice.variables.update(
        OS_AUTH_TYPE="v3applicationcredential",
        OS_AUTH_URL=f"{cloud.keystone.url}/v3",
        OS_APPLICATION_CREDENTIAL_ID=identifier,
        OS_APPLICATION_CREDENTIAL_SECRET=secret,
        OS_REGION_NAME=cloud.region,
    )
    assert alice.ids("--limit", "2") == ["e00", "e03"]


def test_an_error_names_an_address_that_is_not_panko_s(admin, cloud):
    def refused(address):
        done = admin.run("event", "list", OS_EVENT_ENDPOINT_OVERRIDE=address)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        return line

    nobody = f"http://127.0.0.1:{free_port()}"
    assert refused(nobody) == f"The event service at {nobody} cannot be reached: [Errno 111] Connection refused"
    wrong = f"{cloud.keystone.url}/v3"
    assert re.match(f"{wrong}/v2/events returned: .* [(]HTTP 404[)]", refused(wrong))
    assert admin.run("event", "list", OS_EVENT_ENDPOINT_OVERRIDE=f"http://127.0.0.1:{cloud.server.port}/v2/").stdout
    done = admin.run("event", "list", OS_REGION_NAME="RegionOne")
    assert done.stderr == "public endpoint for event service in RegionOne region not found\n"


def test_it_warns_if_pankoclient_is_installed_too(admin, pankoclient):
    """Other commands of openstack work, whichever of the two plugins is found first."""
    (libraries,) = pankoclient.parent.glob("lib/python*/site-packages")
    done = admin.run("event", "list", "--limit", "1", "-f", "value", "-c", "event_type", PYTHONPATH=str(libraries))
    assert done.returncode == 0
    assert done.stdout.startswith("compute.instance.create.end")
    line, _ = done.stderr.splitlines()
    assert re.match("Warning: pankoclient 1.2.0 and panko are both installed.*pip uninstall pankoclient", line)


def test_it_warns_even_if_pankoclient_answers(cloud, pankoclient, plugin):
    (libraries,) = plugin.parent.glob("lib/python*/site-packages")
    admin = cloud.openstack(pankoclient)
    done = admin.run("token", "issue", "-f", "value", PYTHONPATH=f"{libraries}:{ROOT}")
    assert done.returncode == 0
    assert done.stderr.count("are both installed") == 1
