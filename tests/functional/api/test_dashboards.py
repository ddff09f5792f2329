# SPDX-License-Identifier: Apache-2.0
"""The queries of the dashboards in etc/grafana find sample events, for the callers that the documentation names."""

import datetime
import functools
import itertools
import json
import re
import subprocess
import sys
import urllib.parse

import pytest
import yaml
from oslo_utils import timeutils

from doc import dashboards
from doc.dashboards import JSON_SOURCE, ROWS_SOURCE, Variable
from panko import service
from panko.ingest.importer import line_events, newest_time, read_lines
from panko.storage import get_connection
from tests.functional.api.conftest import ADMIN
from tests.functional.api.test_grafana import SAMPLE

NAMES = ("overview", "instance")
DATA = "c3d05c84a09845b0927304aae069f35e"
MEMBER_OF_DATA = {"X-User-Id": "0162d30c0c664c90b389dfeacc4fbf04", "X-Project-Id": DATA, "X-Roles": "member"}
PROJECTS = [
    DATA,
    "3598e6d92bbe490e8e79ab4acbdce9d6",
    "5fae15e7924c4498acdf940e77285d62",
    "eb1708012634471bb0e2bb2e58206c56",
]
DANA = "a6fe4b77083f4e5493dc7f91e033daae"
PAGES = "".join(page.read_text() for page in sorted((SAMPLE.parents[2] / "doc/source/grafana").glob("*.rst")))
PROJECT_POLICY = (SAMPLE.parent / "policy-project.yaml").read_text()
DATA_SOURCES = yaml.safe_load((dashboards.GRAFANA / "provisioning/datasources/panko.yaml").read_text())["datasources"]


@pytest.fixture(scope="module")
def shifted_url(tmp_path_factory):
    """The URL of a database with the sample events, shifted to the current time as by ``make run``."""
    url = f"sqlite:///{tmp_path_factory.mktemp('dashboards') / 'panko.sqlite'}"
    lines = list(read_lines(SAMPLE.name, SAMPLE.read_bytes().splitlines()))
    shift = timeutils.utcnow() - newest_time(lines)
    connection = get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.record_events([event for line in lines for event in line_events(line, shift)])
    connection.close()
    return url


@pytest.fixture
def sender(load_app, shifted_url):
    """A function that returns a client for a caller."""
    return functools.partial(send_by, load_app(shifted_url))


def send_by(api, who):
    """Return a client of an application for a caller."""

    def send(method, path, content):
        if method == "GET":
            return api.get(f"{path}?{urllib.parse.urlencode(content)}", headers=who).json
        return api.post_json(path, content, headers=who).json

    return send


@pytest.fixture
def send(sender):
    """A client for an administrator."""
    return sender(ADMIN)


def opened(name, send, chosen=None):
    """Return a dashboard and its initial view, with its default range that ends now."""
    dashboard = dashboards.load(name)
    days = re.fullmatch(r"now-(\d+)d", dashboard["time"]["from"])[1]
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    start = end - datetime.timedelta(days=int(days))
    return dashboard, dashboards.open_dashboard(dashboard, send, start, end, chosen)


def found_by(answers):
    """Return the number of events or rows in each part of an answer, by the refId of its target."""
    if isinstance(answers, dict):
        return {"rows": len(answers["rows"])}
    found = {}
    for part in answers:
        size = len(part["rows"]) if "rows" in part else sum(count for count, _ in part["datapoints"])
        found[part["refId"]] = found.get(part["refId"], 0) + size
    return found


def panels(dashboard):
    return {panel["title"]: panel for panel in dashboard["panels"]}


def answers_of(panel, view, send):
    return [send(*request) for request in dashboards.panel_requests(panel, view)]


@pytest.mark.parametrize("name", NAMES)
def test_every_query_of_a_dashboard_finds_something(name, send):
    dashboard, view = opened(name, send)
    for title, panel in panels(dashboard).items():
        found = {}
        for answer in answers_of(panel, view, send):
            found |= found_by(answer)
        expected = {"rows"} if panel["datasource"]["uid"] == "${rows}" else {each["refId"] for each in panel["targets"]}
        assert set(found) == expected, title
        assert all(found.values()), f"{title}: {found}"


@pytest.mark.parametrize("name", NAMES)
def test_the_links_to_the_explorer_lead_to_the_same_events(name, send, load_app, shifted_url):
    dashboard, view = opened(name, send)
    (address,) = (each["query"] for each in dashboard["templating"]["list"] if each["name"] == "explorer")
    assert address.endswith("/explorer")
    event = send("GET", "/v2/events", [("limit", 1), ("all_tenants", "true"), ("filter", "instance_id = *")])[0]
    instance = next(trait["value"] for trait in event["traits"] if trait["name"] == "instance_id")
    values = {
        "explorer": "/explorer",
        "__from:date:iso": f"{view.start:%Y-%m-%dT%H:%M:%S}.000Z",
        "__to:date:iso": f"{view.end:%Y-%m-%dT%H:%M:%S}.000Z",
        "instance:percentencode": instance,
        "__data.fields.message_id:percentencode": event["message_id"],
    }
    links = re.findall(r'"url": "(\$\{explorer\}[^"]*)"', json.dumps(dashboard))
    assert len(links) == 2
    explorer = load_app(shifted_url)
    for link in links:
        path = re.sub(r"\$\{(.*?)\}", lambda found: values[found[1]], link)
        page = explorer.get(path, headers=ADMIN)
        assert (instance if name == "instance" or "event?" in link else "compute.instance") in page.text


@pytest.mark.parametrize("name", NAMES)
def test_every_annotation_of_a_dashboard_finds_something(name, send):
    dashboard, view = opened(name, send)
    own = [each for each in dashboard["annotations"]["list"] if not each.get("builtIn")]
    assert own
    for annotation in own:
        # The only stack of the sample events was created before the default range of the overview.
        start = view.start - datetime.timedelta(days=1)
        request = dashboards.annotation_request(annotation, dashboards.View(start, view.end, view.variables))
        (table,) = send(*request)
        assert [column["text"] for column in table["columns"]] == ["time", "title", "text", "tags"]
        assert table["rows"], annotation["name"]


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_of_a_dashboard_has_values(name, send):
    dashboard, view = opened(name, send)
    queries = [given["name"] for given in dashboard["templating"]["list"] if given["type"] == "query"]
    assert queries
    for variable in queries:
        assert view.variables[variable].options, variable


def test_overview_counts_all_events_or_those_selected_by_variables(send):
    def count(**chosen):
        dashboard, view = opened("overview", send, chosen)
        (answer,) = answers_of(panels(dashboard)["Events by type"], view, send)
        return {each["target"]: found_by([each])["A"] for each in answer}

    everything = count()
    assert len(everything) == 11
    assert "other" in everything
    types = ["volume.attach.end", "compute.instance.update"]
    assert set(count(event_type=types)) == set(types)
    assert set(count(event_type=types[:1])) == set(types[:1])
    assert 0 < sum(count(project=DATA).values()) < sum(everything.values())


def test_no_failure_types_are_not_all_types(send):
    dashboard, view = opened("overview", send)
    assert set(view.variables["failure_type"].options) == {
        "compute.instance.create.error",
        "orchestration.stack.create.error",
    }
    none = dashboards.View(view.start, view.end, {**view.variables, "failure_type": Variable(("$__all",), ())})
    (answer,) = answers_of(panels(dashboard)["Failed operations"], none, send)
    assert found_by(answer) == {"A": 1}


def test_instance_is_selected_by_its_name(send):
    dashboard, view = opened("instance", send, {"name": "lab-01"})
    assert view.variables["instance"].options == ("765923ef-ddee-45ca-b351-1a4586402f9d",)
    ((latest,),) = answers_of(panels(dashboard)["Latest"], view, send)
    assert dict(zip([column["text"] for column in latest["columns"]], latest["rows"][0], strict=True)).items() >= {
        ("event_type", "compute.instance.delete.end"),
        ("traits.display_name", "lab-01"),
        ("traits.state", "deleted"),
        ("traits.memory_mb", 2048),
    }
    ((states,),) = answers_of(panels(dashboard)["State"], view, send)
    told = [key for key, _ in itertools.groupby(row[-1] for row in states["rows"])]
    assert told == ["building", "active", "stopped", "active", "deleted"]


@pytest.mark.parametrize("name", NAMES)
def test_member_sees_only_their_project(name, sender):
    dashboard, view = opened(name, sender(MEMBER_OF_DATA))
    assert view.variables["project"].options == (DATA,)
    everything = json.dumps(
        [answers_of(panel, view, sender(MEMBER_OF_DATA)) for panel in dashboard["panels"]], ensure_ascii=False
    )
    assert DATA in everything
    assert not [
        other
        for other in ("3598e6d92bbe490e8e79ab4acbdce9d6", "eb1708012634471bb0e2bb2e58206c56")
        if other in everything
    ]


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_paths_to_members_of_rows(name, send):
    dashboard, view = opened(name, send)
    asked = [panel for panel in dashboard["panels"] if panel["datasource"]["uid"] == "${rows}"]
    assert asked
    for panel in asked:
        (target,), (answer,) = panel["targets"], answers_of(panel, view, send)
        fixed = {key: target[key] for key in ("type", "source", "format", "parser", "root_selector")}
        assert fixed == {
            "type": "json",
            "source": "url",
            "format": "table",
            "parser": "backend",
            "root_selector": "rows",
        }
        members = set().union(*answer["rows"])
        for column in target["columns"]:
            # In Infinity, a dot without a backslash is a step into an object.
            assert not re.search(r"(?<!\\)\.", column["selector"])
            assert column["selector"].replace("\\", "") in members


@pytest.mark.parametrize(
    ("roles", "rule", "projects"),
    [
        ("member", "", [DATA]),
        ("reader", PROJECT_POLICY, [DATA]),
        ("event_viewer", '"telemetry:events:all_tenants": "rule:segregation or role:event_viewer"', PROJECTS),
    ],
)
def test_policies_in_the_documentation_have_the_documented_effect(load_app, shifted_url, roles, rule, projects):
    assert rule in PAGES or (rule == PROJECT_POLICY and "<project policy>" in PAGES)
    api = load_app(shifted_url, policy=rule or "{}")

    def count(**who):
        _, view = opened("overview", send_by(api, {**MEMBER_OF_DATA, **who}))
        assert sorted(view.variables["project"].options) == sorted(projects)
        rows = api.get("/grafana/rows?limit=1000", headers={**MEMBER_OF_DATA, **who}).json["rows"]
        return len(rows)

    # Another user of the project sees other events if users see only their own, otherwise the same.
    own, others = count(**{"X-Roles": roles}), count(**{"X-Roles": roles, "X-User-Id": DANA})
    assert (own == others) == bool(rule)


def test_the_sources_for_the_sample_events_have_the_headers_that_they_need(load_app, shifted_url):
    snippet = re.search(r"^    apiVersion: 1\n    datasources:\n(?: +.*\n)+", PAGES, re.MULTILINE)[0]
    sources = yaml.safe_load(snippet)["datasources"]
    assert {source["uid"]: source["type"] for source in sources} == {"panko": JSON_SOURCE, "panko-rows": ROWS_SOURCE}
    api = load_app(shifted_url)
    for source in sources:
        names, values = source["jsonData"], source["secureJsonData"]
        headers = {names[f"httpHeaderName{each}"]: values[f"httpHeaderValue{each}"] for each in (1, 2, 3)}
        assert api.get("/grafana", headers=headers).json == {"status": "ok"}
        assert len(api.get("/grafana/rows?limit=1000", headers=headers).json["rows"]) == 361


@pytest.mark.slow
def test_the_pictures_of_the_documentation_can_be_drawn(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "doc.plot_grafana", str(tmp_path)],
        cwd=SAMPLE.parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = set(re.findall(r"figure:: ../images/(\S+)", PAGES))
    assert {path.name for path in tmp_path.iterdir()} == shown
    assert {path.name for path in (SAMPLE.parents[2] / "doc/source/images").glob("grafana-*")} == shown


def test_the_data_sources_take_address_and_credential_from_the_environment(send):
    text = json.dumps(DATA_SOURCES)
    assert set(re.findall(r"\$\{(\w+)\}", text)) == {"PANKO_URL", "PANKO_CREDENTIAL_ID", "PANKO_CREDENTIAL_SECRET"}
    panko, rows = DATA_SOURCES
    for source in (panko, rows):
        assert source["basicAuth"] is True
        assert source["basicAuthUser"] == "${PANKO_CREDENTIAL_ID}"
        assert source["secureJsonData"] == {"basicAuthPassword": "${PANKO_CREDENTIAL_SECRET}"}
    # Infinity prepends the address of the data source to the paths in the dashboards.
    assert rows["url"] in rows["jsonData"]["allowedHosts"]
    for address in (panko["url"], rows["jsonData"]["customHealthCheckUrl"]):
        assert send("GET", address.removeprefix("${PANKO_URL}"), []) == {"status": "ok"}
