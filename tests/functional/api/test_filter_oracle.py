# SPDX-License-Identifier: Apache-2.0
"""Every database answers random texts of the filter language as its model does.

``--oracle-examples`` is the number of filters; the same ``--oracle-seed`` gives the same events and filters. All but
the first 100 are slow tests.
"""

import dataclasses
import datetime
import json
import random
import urllib.parse
from urllib.parse import quote

import hypothesis
import pytest
import webob
from hypothesis import strategies as st

from tests.filter_oracle import holds, write
from tests.filter_strategies import filters_about
from tests.functional.api.conftest import ADMIN
from tests.functional.api.hostile import Pool
from tests.functional.api.oracle_runs import load_applications, make_runner, require_all
from tests.oracle import in_order
from tests.unit.doc.test_filter_language import EVENTS, ROWS

FIRST_FILTERS = 100
"""Number of filters that are not slow tests."""

FILLERS = 100
"""Common events beside those with every kind of content."""

MAX_CHARACTERS = 4000
MAX_RELATIVE = 1000
"""Maximum length of filters, and of the form in a URL of those with relative times."""

LIMITS = (1, 10, 1000)
SORTS = ("generated:asc", "generated:desc")


DOCUMENTED = [dataclasses.replace(event, message_id=f"documented {event.message_id}") for event in EVENTS]


@pytest.fixture(scope="module")
def events(pytestconfig):
    pool = Pool(pytestconfig.getoption("oracle_seed"))
    return [*pool.hostile, *pool.fillers[:FILLERS], *DOCUMENTED]


@pytest.fixture(scope="module")
def applications(request, events, tmp_path_factory):
    """The applications on the events by database, of those that are installed."""
    with load_applications(request, events, tmp_path_factory.mktemp("filters")) as loaded:
        yield loaded


def ask(application, texts, limit, sort):
    """Return the message_ids of the events that meet filters; what a URL cannot contain is sent in the body."""
    arguments = {"limit": limit, "sort": [sort], "q.field": "all_tenants", "q.value": "True"}
    try:
        query, body = urllib.parse.urlencode({**arguments, "filter": texts}, doseq=True), b""
    except UnicodeEncodeError:
        query = urllib.parse.urlencode(arguments, doseq=True)
        body = json.dumps({"filter": texts}).encode()
    sent = webob.Request.blank(f"/v2/events?{query}", headers=ADMIN)
    if body:
        sent.body, sent.content_type = body, "application/json"
    response = sent.get_response(application)
    assert response.status_int == 200, response.text[:1000]
    return [event["message_id"] for event in response.json_body]


@pytest.mark.parametrize("part", ["first", pytest.param("others", marks=pytest.mark.slow)])
def test_filters_find_what_their_model_does(applications, events, pytestconfig, part):
    seed, number = pytestconfig.getoption("oracle_seed"), pytestconfig.getoption("oracle_examples")
    bounds = (0, min(FIRST_FILTERS, number)) if part == "first" else (FIRST_FILTERS, number)
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    sorted_events = {sort: in_order(events, [sort]) for sort in SORTS}
    found_any = []

    def check(data):
        event = data.draw(st.sampled_from(events))
        nodes = [
            data.draw(filters_about(event, has_relative=False)) for _ in range(data.draw(st.sampled_from([1, 1, 2])))
        ]
        # Not by hypothesis, which would take longer for the many choices than the databases for their answers.
        choose = random.Random(data.draw(st.integers(0, 2**32))).choice
        texts = [write(node, choose) for node in nodes]
        hypothesis.assume(sum(map(len, texts)) <= MAX_CHARACTERS)
        hypothesis.assume("-1h" not in "".join(texts) or len(quote("".join(texts), errors="replace")) <= MAX_RELATIVE)
        limit, sort = data.draw(st.sampled_from(LIMITS)), data.draw(st.sampled_from(SORTS))
        met = [each.message_id for each in sorted_events[sort] if all(holds(node, each, now) for node in nodes)]
        found_any.append(bool(met))
        for name, application in applications.items():
            assert ask(application, texts, limit, sort) == met[:limit], (name, texts)

    make_runner(seed, number, *bounds)(check, st.data())
    assert sum(found_any) > len(found_any) / 3
    require_all(applications)


def test_the_documented_filters_mean_the_same_on_every_database(applications):
    for text, *decisions in ROWS:
        expected = {
            event.message_id for event, decision in zip(DOCUMENTED, decisions, strict=True) if decision == "yes"
        }
        for name, application in applications.items():
            found = ask(application, [text, 'message_id = "documented *"'], 10, SORTS[0])
            assert set(found) == expected, (name, text)
    require_all(applications)
