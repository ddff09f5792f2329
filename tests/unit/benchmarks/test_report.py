# SPDX-License-Identifier: Apache-2.0
"""The table says what was measured, and whether it is enough."""

import pytest

from benchmarks import bars, report
from benchmarks.backends import OURS, THEIRS
from benchmarks.cases import Case, cases
from benchmarks.loading import Facts
from benchmarks.measuring import Measurement
from benchmarks.sides import Outcome

CASES = cases(Facts(events=2000, marker="m", generated="2026-01-01T00:16:40", resource_id="r"))
NEWEST = next(case for case in CASES if case.title == "storage: newest 100")
PAGE = next(case for case in CASES if case.title == "http: page of 100, all tenants")


def line(case: Case, theirs: Outcome, ours: Outcome, floor: Outcome | None = None) -> report.Line:
    return report.Line(Measurement(case, {THEIRS: theirs, OURS: ours}, floor), "postgresql")


def cells(*arguments) -> dict[str, str]:
    return dict(zip(report.HEAD, line(*arguments).cells(), strict=True))


def test_every_bar_is_of_a_case_that_exists():
    known = {(case.group, case.name) for case in CASES}
    assert {*bars.REQUIRED, *bars.AT_MOST_OF_FLOOR} <= known
    assert {name for group, name in known if group == "storage"} >= bars.GROWTH_READS


def test_no_two_cases_have_one_title():
    assert len({case.title for case in CASES}) == len(CASES)


@pytest.mark.parametrize(("theirs", "met"), [(0.015, "yes"), (0.0149, "NO")])
def test_a_case_is_met_from_its_bar_on(theirs, met):
    assert cells(NEWEST, Outcome([theirs]), Outcome([0.001]))["met"] == met


def test_what_did_not_finish_gives_a_lower_bound():
    told = cells(NEWEST, Outcome(timeout=60.0), Outcome([0.001]))
    assert told["Panko 10.0"] == "did not finish in 60 s"
    assert (told["times faster"], told["met"]) == ("> 60,000", "yes")


def test_what_failed_is_neither_met_nor_missed():
    told = cells(NEWEST, Outcome(failed="OperationalError"), Outcome([0.001]))
    assert (told["Panko 10.0"], told["times faster"], told["met"]) == ("failed", "", "")


def test_a_case_far_above_its_floor_is_not_met():
    told = cells(PAGE, Outcome([1.0]), Outcome([0.005]), Outcome([0.001]))
    assert told["met"] == "NO"
    assert told["floor"] == "1.00 ms: ours takes 5.00 times as long, at most 4"


def test_the_first_of_many_samples_only_warms_up():
    assert Outcome([9.0, 1.0]).median == 5.0
    assert Outcome([9.0, 1.0, 2.0]).median == 1.5


def test_the_tail_is_told_of_a_hundred_calls_or_more():
    few, many = [0.001] * 99, [0.001] * 196 + [0.005] * 4
    assert cells(NEWEST, Outcome([1.0]), Outcome(few))["p50, p99 of a call"] == ""
    assert cells(NEWEST, Outcome([1.0]), Outcome(many))["p50, p99 of a call"] == "1.00 ms, 5.00 ms"


def test_the_tail_of_a_rate_is_that_of_its_calls_in_all_turns():
    record = next(case for case in CASES if case.group == "record_events")
    outcome = Outcome([0.0001], {"calls": [0.01] * 60})
    outcome.join(Outcome([0.0002], {"calls": [0.02] * 60}))
    assert cells(record, Outcome([0.01]), outcome)["p50, p99 of a call"] == "15.0 ms, 20.0 ms"


def test_rates_are_events_in_a_second():
    record = next(case for case in CASES if case.group == "record_events")
    assert cells(record, Outcome([0.01]), Outcome([0.0001]))["Panko 11"] == "10,000 events/s"


def test_a_section_written_again_takes_the_place_of_the_old_one(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "RESULTS.md")
    for name, text in (("sqlite", "old"), ("mysql", "other"), ("sqlite", "new \\1")):
        report.write_section(name, text)
    written = report.RESULTS.read_text()
    assert "old" not in written
    assert written.index("new \\1") < written.index("other")
