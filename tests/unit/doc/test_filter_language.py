# SPDX-License-Identifier: Apache-2.0
"""The tables of "Filter language" are right: for the parser, the evaluator and the model of the language."""

import csv
import datetime
import json
import re

import pytest

from panko.filter_language import FilterSyntaxError, parse
from panko.ingest.importer import line_events, read_lines
from panko.storage.evaluation import EventMatcher
from panko.storage.filters import EventFilter
from panko.storage.models import TRAIT_TYPES_BY_LABEL, Event, Trait, parse_time
from panko.storage.validation import checked_event
from tests.unit.doc.blocks import ROOT
from tests.unit.storage.drawn_events import found_event

QUERY = ROOT / "doc/source/query"
PAGE = (QUERY / "filter-language.rst").read_text()
SAMPLE = ROOT / "etc/panko/sample-events.jsonl"


def read_table(name):
    with (QUERY / name).open(newline="") as lines:
        return [[cell.removeprefix("``").removesuffix("``") for cell in row] for row in csv.reader(lines)][1:]


def read_event(form):
    types = [(trait["name"], TRAIT_TYPES_BY_LABEL[trait["type"]], trait["value"]) for trait in form["traits"]]
    traits = [Trait(name, type_, type_.parse(value)) for name, type_, value in types]
    return Event(form["message_id"], form["event_type"], parse_time(form["generated"]), traits)


EVENTS = [read_event(form) for form in json.loads((QUERY / "filter-events.json").read_text())]
ROWS = read_table("filter-rows.csv")
QUESTIONS = read_table("filter-questions.csv")


def met(text, events, now=None):
    """Return the message_ids of the events that meet a filter."""
    event_filter = EventFilter(condition=parse(text, now).condition)
    found = [found_event(checked_event(each)) for each in events]
    # An evaluator each, as all shapes have the same id here.
    return [each.message_id for each in found if EventMatcher(event_filter).meets(each, (None, None))]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_of_the_table_of_meanings_is_right(row):
    text, *decisions = row
    assert len(decisions) == len(EVENTS)
    assert set(decisions) <= {"yes", "no"}
    expected = [event.message_id for event, decision in zip(EVENTS, decisions, strict=True) if decision == "yes"]
    assert met(text, EVENTS) == expected


def test_there_are_enough_rows():
    assert len(ROWS) >= 20


@pytest.fixture(scope="module")
def sample():
    lines = read_lines(SAMPLE.name, SAMPLE.read_bytes().splitlines())
    return [event for line in lines for event in line_events(line)]


INSTANCE = "765923ef-ddee-45ca-b351-1a4586402f9d"
DELETED = ("compute.instance.delete.end", "volume.delete.end", "image.delete")


def values(event, name):
    return [trait.value for trait in event.traits if trait.name == name]


def has(event, name, *wanted):
    return any(value in wanted for value in values(event, name))


ANSWERS = [
    lambda event: event.event_type == "compute.instance.create.end",
    lambda event: event.event_type.startswith("compute.instance."),
    lambda event: event.event_type.endswith(".start"),
    lambda event: event.event_type in DELETED,
    lambda event: (
        has(event, "outcome", "failure")
        or has(event, "state", "error")
        or has(event, "status", "error")
        or event.event_type.endswith(".error")
    ),
    lambda event: event.generated >= datetime.datetime(2026, 1, 3, 21, 40),
    lambda event: event.generated.date() == datetime.date(2026, 1, 2),
    lambda event: has(event, "instance_id", INSTANCE) or has(event, "resource_id", INSTANCE),
    lambda event: INSTANCE in repr(event.traits) or INSTANCE in event.message_id,
    lambda event: has(event, "request_id", "req-6b4d552c-82e3-4dd4-a757-b6bf4f2e76ec"),
    lambda event: any("web" in value.lower() for value in values(event, "display_name")),
    lambda event: has(event, "vcpus", *range(8, 99)) and max(values(event, "memory_mb")) >= 16384,
    lambda event: bool(values(event, "instance_type")) and not values(event, "instance_type")[0].startswith("m1."),
    lambda event: has(event, "host", "node2", "node3"),
    lambda event: not values(event, "host"),
    lambda event: event.event_type == "identity.authenticate" and has(event, "outcome", "failure"),
    lambda event: has(event, "user_id", "0162d30c0c664c90b389dfeacc4fbf04") and "identity." not in event.event_type,
    lambda event: any(value < datetime.datetime(2026, 1, 1) for value in values(event, "launched_at")),
    lambda event: has(event, "name", "données") or has(event, "description", "Notebooks of Zoë and José"),
    lambda event: has(event, "old_state", "building") and any(value != "building" for value in values(event, "state")),
]
"""For each of the twenty questions, whether an event of the sample is an answer to it."""


@pytest.mark.parametrize(
    ("row", "is_answer"), [*zip(QUESTIONS, ANSWERS, strict=True)], ids=[row[0] for row in QUESTIONS]
)
def test_a_question_has_its_answers_in_the_sample(sample, row, is_answer):
    expected = [event.message_id for event in sample if is_answer(event)]
    assert 0 < len(expected) < len(sample)
    assert met(row[1], sample, datetime.datetime(2026, 1, 3, 23, 40)) == expected


def test_there_are_twenty_questions():
    assert len(QUESTIONS) == 20


def test_filters_in_the_text_of_the_page_are_valid():
    first, old_and_new = re.findall(
        r"^=+  =+\n(?:filter|old form).*?\n=+  =+\n(.*?)\n=+  =+\n", PAGE, re.DOTALL | re.MULTILINE
    )
    texts = re.findall(r"``(.+?)``", "\n".join(line[:45] for line in first.splitlines()))
    texts += re.findall(r"  ``(.+?)``$", old_and_new, re.MULTILINE)
    texts += re.findall(r"code-block:: text\n\n    (.+)\n", PAGE)
    assert len(texts) > 25
    for text in texts:
        parse(text)


def test_the_error_on_the_page_is_the_one_of_its_filter():
    (shown,) = re.findall(r"^    (The filter is invalid .*)$", PAGE, re.MULTILINE)
    with pytest.raises(FilterSyntaxError) as caught:
        parse("a = 1 AND b = 2 OR c = 3")
    assert str(caught.value) == shown
