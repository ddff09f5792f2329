# SPDX-License-Identifier: Apache-2.0
"""The documentation describes every metric, field, list and argument."""

from pathlib import Path

import pytest

from panko.api.controllers.grafana import GrafanaController
from panko.api.grafana.metrics import METRICS
from panko.api.grafana.rows import SINGLE_ARGUMENTS
from panko.api.grafana.variables import VARIABLES
from panko.api.routing import Resource

PAGES = {page.stem: page.read_text() for page in (Path(__file__).parents[4] / "doc/source/grafana").glob("*.rst")}
FIELDS = {field.name: field for metric in METRICS.values() for field in metric.fields}


@pytest.mark.parametrize("name", [*METRICS, *SINGLE_ARGUMENTS, *VARIABLES, "trait.<name>"])
def test_a_name_is_documented(name):
    assert any(f"``{name}``" in page for page in PAGES.values())


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_documented_with_its_metrics(name):
    (line,) = (
        line for line in PAGES["metrics"].splitlines() if line.startswith(f"``{name}`` ") and line.count("  ") > 1
    )
    metrics = [metric for metric in METRICS.values() if FIELDS[name] in metric.fields]
    assert all(f"``{metric.name}``" in line for metric in metrics) or (" all " in line and len(metrics) == len(METRICS))


def test_every_call_is_documented():
    calls = [name for name in dir(GrafanaController) if isinstance(getattr(GrafanaController, name), Resource)]
    assert len(calls) == 9
    for name in calls:
        assert f"/grafana/{name}``" in PAGES["api"]
