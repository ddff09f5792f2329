# SPDX-License-Identifier: Apache-2.0
"""The table of OpenSearch: its requirements, and how it compares with an SQL database."""

from pathlib import Path

import pytest

from benchmarks import bars, beside, checks
from benchmarks.backends import OURS, SQL_BACKENDS, Backend
from benchmarks.cases import Case, cases
from benchmarks.loading import Facts
from benchmarks.measuring import Measurement
from benchmarks.opensearch import UNREFRESHED, OpenSearchBackend
from benchmarks.sides import Outcome
from tests.unit.benchmarks.test_report import CASES, NEWEST

FACTS = Facts(events=2000, marker="m", generated="2026-01-01T00:16:40", resource_id="r")
ALL_CASES = beside.all_cases(FACTS)
UNREFRESHED_CASE = next(case for case in ALL_CASES if case.name == beside.unrefreshed("batches of 1,000"))


def cells(case: Case, ours: Outcome, sql: Outcome | None = None, nodes: int | None = 1) -> dict[str, str]:
    measured = Measurement(case, {case.sides[-1]: ours})
    other = Measurement(case, {OURS: sql}) if sql else None
    return dict(zip(beside.head(None), beside.cells(measured, other, nodes), strict=True))


@pytest.fixture
def cluster() -> OpenSearchBackend:
    """A backend that is never asked."""
    return OpenSearchBackend(nodes=3, replicas=1, cluster=("h1:9200", "h2:9200"))


def test_all_cases_of_sql_are_measured():
    assert {case.title for case in CASES} < {case.title for case in ALL_CASES}
    assert len({case.title for case in ALL_CASES}) == len(ALL_CASES)


def test_ingest_is_measured_without_a_refresh_too(cluster):
    assert UNREFRESHED_CASE.sides == (UNREFRESHED,)
    assert cluster.environment(UNREFRESHED)["OS_OPENSEARCH__REFRESH"] == "false"
    assert "OS_OPENSEARCH__REFRESH" not in cluster.environment(OURS)


def test_both_sides_of_ingest_store_in_the_same_indices(cluster):
    assert cluster.url(OURS) == cluster.url(UNREFRESHED) == "opensearch://h1:9200,h2:9200/panko-bench-ours"


def test_a_side_is_configured_for_the_number_of_replicas(cluster):
    assert cluster.environment(OURS)["OS_OPENSEARCH__REPLICAS"] == "1"
    as_panko_decides = OpenSearchBackend(cluster=("h1:9200",))
    assert "OS_OPENSEARCH__REPLICAS" not in as_panko_decides.environment(OURS)


@pytest.mark.parametrize(("seconds", "met"), [(0.008, "yes"), (0.0081, "NO")])
def test_a_page_of_one_node_has_a_requirement(seconds, met):
    shown = cells(NEWEST, Outcome([seconds] * 3))
    assert (shown["required"], shown["met"]) == ("8.00 ms", met)
    assert cells(NEWEST, Outcome([seconds] * 3), nodes=3)["met"] == ""
    assert cells(NEWEST, Outcome([seconds] * 3), nodes=None)["met"] == ""


@pytest.mark.parametrize(("nodes", "rate", "met"), [(1, 15_001, "yes"), (1, 14_999, "NO"), (3, 8_001, "yes")])
def test_the_rate_of_ingest_has_a_requirement(nodes, rate, met):
    assert cells(UNREFRESHED_CASE, Outcome([1 / rate]), nodes=nodes)["met"] == met


def test_a_case_is_compared_with_the_sql_database():
    shown = cells(NEWEST, Outcome([0.004]), Outcome([0.002]))
    assert (shown["opensearch"], shown["times as long"]) == ("4.00 ms", "2.00")


def test_a_failed_case_is_neither_met_nor_compared():
    shown = cells(NEWEST, Outcome(failed="StorageUnavailable"), Outcome([0.002]))
    assert (shown["opensearch"], shown["times as long"], shown["met"]) == ("failed", "", "")


def test_the_tail_needs_some_calls():
    assert beside.tail(Outcome([0.001] * 19)) == ""
    assert beside.tail(Outcome([0.001] * 190 + [0.005] * 10)) == "1.00 ms, 4.80 ms"


def test_requirements_are_for_existing_cases():
    known = {(case.group, case.name) for case in ALL_CASES}
    with_requirement = {key for key in known if bars.cluster_seconds(*key, nodes=1)}
    assert ("record_events", UNREFRESHED_CASE.name) in with_requirement
    assert ("documents", "newest 100") in with_requirement
    assert ("http", "page of 1,000, all tenants") not in with_requirement
    assert ("storage", "event types") not in with_requirement


def test_sql_requirements_are_not_for_opensearch():
    assert not [case for case in CASES if bars.required(case.group, case.name, OpenSearchBackend.name)]


def test_checks_are_those_that_a_backend_supports(cluster):
    titles = {title for _, title in checks.checks_of(cluster)}
    assert {"drop of a period", "export", "feed: commit to reader"} <= titles
    assert not titles & {"conversion", "rare text while keys are pending"}
    assert checks.checks_of(SQL_BACKENDS["sqlite"]()) == checks.CHECKS


def test_indices_of_a_running_cluster_are_not_kept(cluster, tmp_path: Path):
    with pytest.raises(SystemExit, match="can be kept"):
        cluster.save(tmp_path)


def test_every_backend_has_another_title(cluster):
    backends: list[Backend] = [cluster, *(backend() for name, backend in SQL_BACKENDS.items() if name == "sqlite")]
    assert len({backend.title for backend in backends}) == len(backends)
    assert len(cases(FACTS)) == len(CASES)
