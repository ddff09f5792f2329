# SPDX-License-Identifier: Apache-2.0
"""The dashboards and provisioning files of etc/grafana refer to what there is, and fit Grafana."""

import re

import pytest
import yaml

from doc import dashboards
from doc.dashboards import JSON_SOURCE, ROWS_SOURCE, Variable
from panko.api.grafana.metrics import METRICS

NAMES = ("overview", "instance")
SOURCES = {"panko": JSON_SOURCE, "rows": ROWS_SOURCE}


@pytest.mark.parametrize("name", NAMES)
def test_payloads_have_the_fields_that_the_metrics_declare(name):
    dashboard = dashboards.load(name)
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
    targets += [each["target"] for each in dashboard["annotations"]["list"] if not each.get("builtIn")]
    asked = [target for target in targets if target["datasource"]["type"] == JSON_SOURCE]
    assert asked
    for target in asked:
        assert set(target["payload"]) <= {field.name for field in METRICS[target["target"]].fields}


def references(value, key=""):
    """Yield each text in a dashboard that refers to something, with the key that it stands under."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from references(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from references(each, key)
    elif isinstance(value, str):
        yield key, value


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_refers_only_to_what_there_is(name):
    dashboard = dashboards.load(name)
    uids = {dashboards.load(each)["uid"] for each in NAMES}
    known = {given["name"] for given in dashboard["templating"]["list"]}
    known |= {"__from", "__to", "__url_time_range", "__value", "__data"}
    for key, text in references(dashboard):
        assert set(re.findall(r"\$\{?(\w+)", text.replace("$__all", ""))) <= known, text
        if key == "url" and text.startswith("/d/"):
            assert text.split("/")[2] in uids
            target = dashboards.load(text.split("/")[2].removeprefix("panko-"))
            assert set(re.findall(r"var-(\w+)=", text)) <= {given["name"] for given in target["templating"]["list"]}


@pytest.mark.parametrize("name", NAMES)
def test_every_part_names_the_variable_of_its_data_source(name):
    dashboard = dashboards.load(name)
    parts = [*dashboard["panels"], *dashboard["templating"]["list"]]
    parts += [target for panel in dashboard["panels"] for target in panel["targets"]]
    parts += [each for each in dashboard["annotations"]["list"] if not each.get("builtIn")]
    for part in parts:
        if part.get("type") not in ("datasource", "constant"):
            source = part["datasource"]
            assert source["type"] == SOURCES[source["uid"].strip("${}")]
    chosen = {given["name"]: given for given in dashboard["templating"]["list"] if given["type"] == "datasource"}
    assert {each: given["query"] for each, given in chosen.items()} == SOURCES


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_can_be_imported_anywhere(name):
    dashboard = dashboards.load(name)
    assert "id" not in dashboard
    assert dashboard["schemaVersion"] >= 39
    assert dashboard["timezone"] == "browser"
    for panel in dashboard["panels"]:
        assert panel["title"]
        assert panel["description"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert max(x for x, _ in cells) < 24


def provisioned(kind):
    (path,) = (dashboards.GRAFANA / "provisioning" / kind).glob("*.yaml")
    return yaml.safe_load(path.read_text())


def test_the_dashboards_open_with_the_data_sources_that_are_provisioned():
    sources = {source["uid"]: source for source in provisioned("datasources")["datasources"]}
    assert {uid: source["type"] for uid, source in sources.items()} == {"panko": JSON_SOURCE, "panko-rows": ROWS_SOURCE}
    for name in NAMES:
        for given in dashboards.load(name)["templating"]["list"]:
            if given["type"] == "datasource":
                source = sources[given["current"]["value"]]
                assert (source["type"], source["name"]) == (given["query"], given["current"]["text"])


def test_the_dashboards_are_provisioned_from_a_directory():
    (provider,) = provisioned("dashboards")["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"].startswith("/")
    assert {path.stem for path in (dashboards.GRAFANA / "dashboards").iterdir()} == set(NAMES)


@pytest.mark.parametrize(
    ("form", "one", "several"),
    [
        *(("raw", "a.b", "a.b,c"), ("glob", "a.b", "{a.b,c}")),
        *(("regex", r"a\.b", r"(a\.b|c)"), ("json", "a.b", '["a.b", "c"]'), ("csv", "a.b", "a.b,c")),
    ],
)
def test_values_are_written_as_grafana_does(form, one, several):
    variables = {
        "one": Variable("a.b"),
        "several": Variable(("a.b", "c")),
        "all": Variable(("$__all",), ("a.b", "c")),
        "any": Variable("$__all", ("a.b", "c"), ".*"),
    }
    assert dashboards.interpolate("$one=${several}", variables, form) == f"{one}={several}"
    assert dashboards.interpolate(f"${{all:{form}}}", variables, "raw") == several
    assert dashboards.interpolate("$any", variables, form) == ".*"
    with pytest.raises(KeyError):
        dashboards.interpolate("$missing", variables, form)
