# SPDX-License-Identifier: Apache-2.0
"""The table says what was measured, and whether it is enough."""

import pytest

from benchmarks import alternation, bars, expiry, growth, report
from benchmarks.backends import BEFORE, OURS, THEIRS
from benchmarks.cases import Case, cases
from benchmarks.loading import Facts
from benchmarks.measuring import Measurement
from benchmarks.sides import Outcome
from benchmarks.summaries import BY_STATE

CASES = cases(Facts(events=2000, marker="m", generated="2026-01-01T00:16:40", resource_id="r"))
NEWEST = next(case for case in CASES if case.title == "storage: newest 100")
RECORD = next(case for case in CASES if case.title == "record_events: batches of 100")
PAGE = next(case for case in CASES if case.title == "http: page of 100, all tenants")


def line(case: Case, theirs: Outcome, ours: Outcome, floor: Outcome | None = None) -> report.Line:
    return report.Line(Measurement(case, {THEIRS: theirs, OURS: ours}, floor), "postgresql")


def cells(*arguments) -> dict[str, str]:
    return dict(zip(report.HEAD, line(*arguments).cells(), strict=True))


def test_every_bar_is_of_a_case_that_exists():
    known = {(case.group, case.name) for case in CASES}
    assert {*bars.REQUIRED, *bars.AT_MOST_OF_FLOOR, *bars.AT_MOST_OF_MEDIAN} <= known
    assert {name for group, name in known if group in bars.PAGE_GROUPS} >= bars.PAGES
    assert {name for group, name in known if group == "counts"} >= bars.GROWTH_OF_COUNTS
    assert bars.slower_than_before(BY_STATE) == bars.SLOWER_COUNT_BY_STATE


def test_no_two_cases_have_one_title():
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
def test_pages_and_ingest_may_grow_so_much(group, name, events, times):
    assert bars.growth(group, name, events) == times


def test_the_api_s_call_is_held_to_its_own_bar_or_to_that_of_the_storage():
    assert bars.required("documents", "tenant newest 100", "postgresql") == 400
    assert bars.required("storage", "tenant newest 100", "postgresql") == 100
    assert bars.required("documents", "newest 100", "postgresql") == 15


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


@pytest.mark.parametrize(("slow", "met"), [(0.05, "yes"), (0.051, "NO")])
def test_a_tail_too_long_is_not_met(slow, met):
    outcome = Outcome([0.0001], {"calls": [0.01] * 97 + [slow] * 3})
    told = cells(RECORD, Outcome([0.01]), outcome)
    assert (told["times faster"], told["met"]) == ("100", met)
    assert told["p50, p99 of a call"] == f"10.0 ms, {slow * 1000:.1f} ms: {slow * 100:.1f} times, at most 5"


@pytest.mark.parametrize(("now", "met"), [([3.0, 1.0, 0.9, 1.1, 1.2], "yes"), ([0.1, 1.11, 0.9, 1.2, 1.2], "NO")])
def test_an_earlier_commit_is_compared_by_the_median_of_the_turns_ratios(now, met):
    turns = [{BEFORE: Outcome([1.0]), OURS: Outcome([time])} for time in now]
    told = dict(zip(alternation.HEAD, alternation.cells(NEWEST, turns), strict=True))
    assert told["median of the ratios"] == f"{sorted(now)[2]:.2f}"
    assert (told["at most"], told["met"]) == ("1.1", met)


def test_turns_that_failed_are_not_compared():
    turns = [{BEFORE: Outcome([1.0]), OURS: Outcome(failed="OperationalError")}] * 5
    told = dict(zip(alternation.HEAD, alternation.cells(NEWEST, turns), strict=True))
    assert (told["median of the ratios"], told["met"]) == ("", "")


def test_a_case_that_grows_too_much_is_not_met():
    sizes = [20_000, 200_000, 2_000_000, 10_000_000]
    columns = [[Measurement(NEWEST, {OURS: Outcome([time])})] for time in (0.001, 0.002, 0.003, 0.0041)]
    (told,) = growth.rows(columns, sizes, "sqlite")
    assert told[1:8] == ("1.00 ms", "2.00 ms", "3.00 ms", "4.10 ms", "1.50", "2.05", "1.5, 2")
    assert told[8] == "NO"
    (told,) = growth.rows(columns[:3], sizes[:3], "sqlite")
    assert told[4:7] == ("1.50", "1.5", "yes")


def test_what_waited_for_expiry_was_beside_it(monkeypatch):
    """A write that began before expiry ended, and one that ended after it had begun."""
    answers = expiry.Answers()
    for came, sample in ((0.0, 9.0), (1.0, 0.5), (2.5, 1.0), (4.5, 1.0), (6.5, 1.0)):
        monkeypatch.setattr(expiry.time, "monotonic", lambda now=came: now)
        answers.keep({"sample": sample, "came": came})
    quiet, meanwhile = answers.split(2.0, 5.0)
    assert [answer["came"] for answer in quiet] == [1.0, 6.5]
    assert [answer["came"] for answer in meanwhile] == [2.5, 4.5]


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
