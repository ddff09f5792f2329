# SPDX-License-Identifier: Apache-2.0
"""The table shows the measurements, and whether they meet the requirements."""

import pytest

from benchmarks import alternation, bars, expiry, floors, growth, report
from benchmarks.aggregates import BY_STATE
from benchmarks.backends import BEFORE, OURS, THEIRS
from benchmarks.cases import Case, cases
from benchmarks.loading import Facts
from benchmarks.measuring import Measurement
from benchmarks.sides import Outcome

CASES = cases(Facts(events=2000, marker="m", generated="2026-01-01T00:16:40", resource_id="r"))
NEWEST = next(case for case in CASES if case.title == "storage: newest 100")
RECORD = next(case for case in CASES if case.title == "record_events: batches of 100")
PAGE = next(case for case in CASES if case.title == "http: page of 100, all tenants")


def line(case: Case, theirs: Outcome, ours: Outcome, floor: Outcome | None = None) -> report.Line:
    return report.Line(Measurement(case, {THEIRS: theirs, OURS: ours}, floor), "postgresql")


def cells(*arguments) -> dict[str, str]:
    return dict(zip(report.HEAD, line(*arguments).cells(), strict=True))


def test_every_requirement_is_for_an_existing_case():
    known = {(case.group, case.name) for case in CASES}
    assert {*bars.REQUIRED, *bars.MAX_TIMES_FLOOR, *bars.MAX_TIMES_MEDIAN} <= known
    assert {name for group, name in known if group in bars.PAGE_GROUPS} >= bars.PAGES
    assert {name for group, name in known if group == "counts"} >= bars.BOUNDED_COUNTS
    assert bars.slower_than_before(BY_STATE) == bars.MAX_SLOWDOWN_OF_COUNT_BY_STATE


def test_titles_are_unique():
    assert len({case.title for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("group", "name", "events", "times"),
    [
        ("documents", "newest 100", 2_000_000, 1.5),
        ("http", "page of 100, member", 10_000_000, 2.0),
        ("record_events", "batches of 100", 2_000_000, 2.0),
        ("storage", "trait names", 2_000_000, None),
        ("http", BY_STATE, 2_000_000, None),
        ("documents", "newest 100", 200_000, None),
    ],
)
def test_the_growth_of_pages_and_ingest_is_limited(group, name, events, times):
    assert bars.growth(group, name, events) == times


def test_the_feed_is_compared_with_a_page_on_each_backend():
    for backend in bars.BACKENDS:
        for group, name in bars.FEED_READS:
            assert bars.of_floor(group, name, backend) == bars.MAX_TIMES_PAGE
            assert (backend, group, name) in floors.FLOORS
    assert bars.of_floor("http", "page of 100, all tenants", "sqlite") is None


def test_the_api_s_call_has_its_own_requirement_or_that_of_the_storage():
    assert bars.required("documents", "tenant newest 100", "postgresql") == 400
    assert bars.required("storage", "tenant newest 100", "postgresql") == 100
    assert bars.required("documents", "newest 100", "postgresql") == 15


@pytest.mark.parametrize(("theirs", "met"), [(0.015, "yes"), (0.0149, "NO")])
def test_a_case_is_met_from_the_required_speed_up_on(theirs, met):
    assert cells(NEWEST, Outcome([theirs]), Outcome([0.001]))["met"] == met


def test_an_unfinished_case_gives_a_lower_bound():
    shown = cells(NEWEST, Outcome(timeout=60.0), Outcome([0.001]))
    assert shown["Panko 10.0"] == "did not finish in 60 s"
    assert (shown["times faster"], shown["met"]) == ("> 60,000", "yes")


def test_a_failed_case_is_neither_met_nor_missed():
    shown = cells(NEWEST, Outcome(failed="OperationalError"), Outcome([0.001]))
    assert (shown["Panko 10.0"], shown["times faster"], shown["met"]) == ("failed", "", "")


def test_a_case_far_above_its_floor_is_not_met():
    shown = cells(PAGE, Outcome([1.0]), Outcome([0.005]), Outcome([0.001]))
    assert shown["met"] == "NO"
    assert shown["floor"] == "1.00 ms: ours takes 5.00 times as long, at most 4"


def test_the_first_of_many_samples_only_warms_up():
    assert Outcome([9.0, 1.0]).median == 5.0
    assert Outcome([9.0, 1.0, 2.0]).median == 1.5


def test_the_tail_is_shown_for_at_least_a_hundred_calls():
    few, many = [0.001] * 99, [0.001] * 196 + [0.005] * 4
    assert cells(NEWEST, Outcome([1.0]), Outcome(few))["p50, p99 of a call"] == ""
    assert cells(NEWEST, Outcome([1.0]), Outcome(many))["p50, p99 of a call"] == "1.00 ms, 5.00 ms"


def test_the_tail_of_a_rate_is_that_of_its_calls_in_all_turns():
    record = next(case for case in CASES if case.group == "record_events")
    outcome = Outcome([0.0001], {"calls": [0.01] * 60})
    outcome.join(Outcome([0.0002], {"calls": [0.02] * 60}))
    assert cells(record, Outcome([0.01]), outcome)["p50, p99 of a call"] == "15.0 ms, 20.0 ms"


@pytest.mark.parametrize(("slow", "met"), [(0.05, "yes"), (0.051, "NO")])
def test_a_case_with_too_long_a_tail_is_not_met(slow, met):
    outcome = Outcome([0.0001], {"calls": [0.01] * 97 + [slow] * 3})
    shown = cells(RECORD, Outcome([0.01]), outcome)
    assert (shown["times faster"], shown["met"]) == ("100", met)
    assert shown["p50, p99 of a call"] == f"10.0 ms, {slow * 1000:.1f} ms: {slow * 100:.1f} times, at most 5"


@pytest.mark.parametrize(("now", "met"), [([3.0, 1.0, 0.9, 1.1, 1.2], "yes"), ([0.1, 1.11, 0.9, 1.2, 1.2], "NO")])
def test_an_earlier_commit_is_compared_by_the_median_of_the_turns_ratios(now, met):
    turns = [{BEFORE: Outcome([1.0]), OURS: Outcome([time])} for time in now]
    shown = dict(zip(alternation.HEAD, alternation.cells(NEWEST, turns), strict=True))
    assert shown["median of the ratios"] == f"{sorted(now)[2]:.2f}"
    assert (shown["at most"], shown["met"]) == ("1.1", met)


def test_failed_turns_are_not_compared():
    turns = [{BEFORE: Outcome([1.0]), OURS: Outcome(failed="OperationalError")}] * 5
    shown = dict(zip(alternation.HEAD, alternation.cells(NEWEST, turns), strict=True))
    assert (shown["median of the ratios"], shown["met"]) == ("", "")


def test_a_case_that_grows_too_much_is_not_met():
    sizes = [20_000, 200_000, 2_000_000, 10_000_000]
    columns = [[Measurement(NEWEST, {OURS: Outcome([time])})] for time in (0.001, 0.002, 0.003, 0.0041)]
    (shown,) = growth.rows(columns, sizes, "sqlite")
    assert shown[1:8] == ("1.00 ms", "2.00 ms", "3.00 ms", "4.10 ms", "1.50", "2.05", "1.5, 2")
    assert shown[8] == "NO"
    (shown,) = growth.rows(columns[:3], sizes[:3], "sqlite")
    assert shown[4:7] == ("1.50", "1.5", "yes")


def test_answers_that_overlap_expiry_are_beside_it(monkeypatch):
    """A write that began before expiry ended, and one that ended after it had begun."""
    answers = expiry.Answers()
    for came, sample in ((0.0, 9.0), (1.0, 0.5), (2.5, 1.0), (4.5, 1.0), (6.5, 1.0)):
        monkeypatch.setattr(expiry.time, "monotonic", lambda now=came: now)
        answers.keep({"sample": sample, "came": came})
    quiet, meanwhile = answers.split(2.0, 5.0)
    assert [answer["came"] for answer in quiet] == [1.0, 6.5]
    assert [answer["came"] for answer in meanwhile] == [2.5, 4.5]


def test_rates_are_events_per_second():
    record = next(case for case in CASES if case.group == "record_events")
    assert cells(record, Outcome([0.01]), Outcome([0.0001]))["Panko 11"] == "10,000 events/s"


def test_a_section_replaces_the_old_one_of_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "RESULTS.md")
    for name, text in (("sqlite", "old"), ("mysql", "other"), ("sqlite", "new \\1")):
        report.write_section(name, text)
    written = report.RESULTS.read_text()
    assert "old" not in written
    assert written.index("new \\1") < written.index("other")
