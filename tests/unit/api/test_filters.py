# SPDX-License-Identifier: Apache-2.0
"""Texts in the filter language select events, in every request that lists or counts them."""

import datetime
import json
import re
import urllib.parse

import pytest
import webtest

from panko.storage import base
from panko.storage.aggregates import TraitValues
from panko.storage.conditions import NO_EVENT, Comparison, all_of
from panko.storage.errors import ScanTimeout
from panko.storage.filters import EVERYTHING, EventFilter, Scope
from panko.storage.models import Event, TraitType
from tests.unit.api.memory import ADMIN, EventConnection, make_application, make_client

MEMBER = {**ADMIN, "X-Roles": "member"}
SCOPE = Scope("p", unowned=True)
A, B = (Comparison(name, TraitType.TEXT, "eq", (value,)) for name, value in (("a", "x"), ("b", "y")))
VALUES = "/event_types/t/traits/n/values"
AD_HOC = {"key": "a", "operator": "=~", "value": "x"}
GRAFANA = "panko.api.controllers.grafana.GrafanaController"
PATHS = ["/events", "/event_counts", VALUES]


class Storage(EventConnection):
    """Keeps the filters that it gets."""

    def __init__(self, events=(), capabilities=()):
        super().__init__(events)
        self.filters = []
        self.CAPABILITIES = dict(capabilities)

    def get_events(self, event_filter, pagination=None):
        self.filters.append(event_filter)
        return super().get_events(event_filter, pagination)

    def count_events(self, event_filter, count_query):
        self.filters.append(event_filter)
        return iter(())

    def get_trait_values(self, trait_name, event_filter, newest):
        self.filters.append(event_filter)
        return TraitValues((), 0, True)


@pytest.fixture
def storage():
    return Storage(Event(f"m{number}", "t", datetime.datetime(2024, 1, 1), []) for number in range(9))


@pytest.fixture
def select(storage):
    """Send a request, and return the filter that the storage gets: ``select("/events", ["a = x"])``."""
    client = make_client(storage)

    def send(path, texts=(), body=None, status=200, headers=ADMIN):
        query = urllib.parse.urlencode([("filter", text) for text in texts])
        content = {} if body is None else {"body": json.dumps(body).encode(), "content_type": "application/json"}
        separator = "&" if "?" in path else "?"
        response = client.request(f"{path}{separator}{query}", method="GET", headers=headers, status=status, **content)
        return storage.filters[-1] if status == 200 else response.json["error_message"]["faultstring"]

    return send


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("texts", "condition"), [(["a = x"], A), (["a = x", "b = y"], all_of([A, B]))])
def test_all_texts_must_hold(select, path, texts, condition):
    for found in (select(path, texts), select(path, body={"filter": texts})):
        assert (found.condition, found.scope, found.scan_seconds) == (condition, SCOPE, 10)


@pytest.mark.parametrize("path", PATHS)
def test_the_member_of_a_body_may_be_one_text(select, path):
    assert select(path, body={"filter": "a = x"}).condition == A


@pytest.mark.parametrize("path", PATHS)
def test_texts_and_q_must_both_hold(select, path):
    q = "q.field=b&q.value=y&q.field=start_timestamp&q.op=&q.op=ge&q.value=2024-01-01"
    found = select(f"{path}?{q}", ["a = x AND generated >= 2024-01-02"])
    assert found.condition == all_of([B, A])
    assert found.start_timestamp == datetime.datetime(2024, 1, 2)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("nothing", [None, [], "", [""], [" \n"]])
def test_without_a_text_the_filter_is_that_of_q_and_no_search_is_bounded(select, path, nothing):
    found = select(path, body={"filter": nothing})
    assert found == EventFilter(event_type="t" if path == VALUES else (), scope=SCOPE)


def test_event_types_of_text_and_q_must_both_hold(select):
    assert select("/events?q.field=event_type&q.value=t", ["event_type = (t OR u)"]).event_type == ("t",)
    assert select("/events?q.field=event_type&q.value=t", ["event_type = u"]).condition == NO_EVENT


def test_values_of_a_type_are_only_of_events_of_that_type(select):
    assert select(VALUES, ["event_type = (t OR u)"]).event_type == ("t",)
    assert select(VALUES, ["event_type = u"]).condition == NO_EVENT
    assert "event_type" in select(f"{VALUES}?q.field=event_type&q.value=t", status=400)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [5, True, {}, [5], [None], [["a = x"]], {"a": "x"}])
def test_what_is_no_text_is_refused(select, path, value):
    error = select(path, body={"filter": value}, status=400)
    assert "filter" in error
    assert "a text in the filter language, or a list of such texts" in error


@pytest.mark.parametrize("path", [*PATHS, "/event_feed"])
@pytest.mark.parametrize("name", ["filters", "Filter", "filter.field", "filter[x]", "where"])
def test_another_argument_is_not_ignored(select, path, name):
    assert select(f"{path}?{urllib.parse.quote(name)}=a", status=400) == f'Unknown argument: "{name}"'


@pytest.mark.parametrize("path", PATHS)
def test_query_and_body_cannot_both_have_texts(select, path):
    assert "filter was given several times" in select(path, ["a = x"], {"filter": "b = y"}, status=400)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("text", ["a = ", "a = 1 AND b = 2 OR c = 3", "(" * 200, "x" * 4001, "a <> b"])
def test_an_error_names_position_and_example(select, storage, path, text):
    error = select(path, [text], status=400)
    assert re.search(r"\bcharacter \d+\b.*Example: ", error)
    assert not storage.filters


@pytest.mark.parametrize("path", PATHS)
def test_texts_do_not_widen_what_a_member_sees(select, path):
    assert select(path, ["project_id = other"], headers=MEMBER).scope == Scope("p", "u")


@pytest.mark.parametrize("path", PATHS)
def test_all_tenants_may_be_an_argument(select, path):
    assert select(f"{path}?all_tenants=True", ["a = x"]).scope == EVERYTHING
    assert select(path, body={"all_tenants": "yes", "filter": "a = x"}).scope == EVERYTHING
    assert select(f"{path}?q.field=all_tenants&q.value=True&all_tenants=").scope == EVERYTHING
    assert select(f"{path}?all_tenants=False").scope == SCOPE
    assert "RBAC" in select(f"{path}?all_tenants=True", headers=MEMBER, status=403)


@pytest.mark.parametrize("path", [*PATHS, "/event_feed"])
def test_a_driver_that_does_not_know_all_conditions_is_not_asked(storage, select, path):
    storage.CAPABILITIES = {base.FILTER_CAPABILITY: False}
    assert base.FILTER_CAPABILITY in select(path, ["a = x"], status=501)
    assert not storage.filters


def test_a_search_that_takes_too_long_is_an_error_of_the_client(storage):
    def search(event_filter, pagination=None):
        raise ScanTimeout(event_filter.scan_seconds)
        yield

    storage.get_documents = search
    response = make_client(storage, scan_timeout=3).get("/events?filter=a", headers=ADMIN, status=400)
    assert "took more than 3 seconds. Narrow the time range" in response.json["error_message"]["faultstring"]


PANELS = [
    {"target": "event_counts", "payload": {"filters": "a = x"}},
    {"target": "events", "payload": {"filters": "a = x"}},
    {"target": "annotations", "payload": {"filters": "a = x"}},
]
RANGE = {"from": "2024-01-01", "to": "2024-01-02"}
CALLS = [
    *(("query", {"range": RANGE, "targets": [panel]}) for panel in PANELS),
    ("query", {"range": RANGE, "targets": [{"target": "events"}], "filters": [AD_HOC]}),
    ("annotations", {"range": RANGE, "annotation": {"query": '{"filters": "a = x"}'}}),
    ("variable", {"payload": {"target": "trait_values", "name": "n", "filters": "a = x"}}),
]


@pytest.fixture
def panel(storage):
    """Send a request of Grafana: ``panel("query", {...}, 200)``."""
    client = webtest.TestApp(make_application(storage, GRAFANA))
    return lambda call, body, status: client.post_json(f"/{call}", body, headers=ADMIN, status=status)


@pytest.mark.parametrize(("call", "body"), CALLS)
def test_searches_of_grafana_are_bounded_too(storage, panel, call, body):
    panel(call, body, 200)
    (found,) = storage.filters
    assert (found.condition, found.scan_seconds) == (A, 10)
    storage.CAPABILITIES = {base.FILTER_CAPABILITY: False}
    assert base.FILTER_CAPABILITY in panel(call, body, 501).json["error_message"]["faultstring"]


def test_what_q_can_have_is_not_bounded_in_grafana(storage, panel):
    storage.CAPABILITIES = {base.FILTER_CAPABILITY: False}
    filters = [{**AD_HOC, "operator": "="}]
    panel("query", {"range": RANGE, "targets": [{"target": "events"}], "filters": filters}, 200)
    assert (storage.filters[0].condition, storage.filters[0].scan_seconds) == (A, None)


class Reader:
    """Follows the links of a list."""

    def __init__(self, storage):
        self.storage = storage
        self._client = make_client(storage)

    def read(self, url, body=None):
        """Return the filter of the storage, and the next link with the texts in it."""
        content = {"body": json.dumps(body).encode(), "content_type": "application/json"} if body else {}
        response = self._client.request(url, method="GET", headers=ADMIN, **content)
        (link,) = re.findall("<http://localhost(.*)>", response.headers["Link"])
        arguments = urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query)
        return self.storage.filters[-1], link, [value for name, value in arguments if name == "filter"]


@pytest.mark.parametrize("name", ["filter", "filter[0]"])
def test_links_have_the_absolute_time_of_a_relative_one(storage, name):
    reader = Reader(storage)
    query = urllib.parse.urlencode({"limit": 2, name: "generated >= -2h AND (a = x OR b = y)"})
    first, link, (text,) = reader.read(f"/events?{query}")
    assert re.fullmatch(r"generated >= \S+Z AND \(a = x OR b = y\)", text)
    second, _, texts = reader.read(link)
    assert (second, texts) == (first, [text])


def test_a_link_overrides_the_relative_times_of_a_body(storage):
    reader = Reader(storage)
    body = {"filter": ["generated >= -2h", "a = x"], "limit": 2}
    first, link, texts = reader.read("/events", body)
    assert texts[1] == "a = x"
    second, _, _ = reader.read(link, body)
    assert second == first
    assert reader.read(link, {"limit": 2})[0] == first


def test_a_link_leaves_a_filter_without_relative_times_where_it_was(storage):
    reader = Reader(storage)
    assert reader.read("/events", {"filter": "a = x", "limit": 2})[2] == []
    first, link, _ = reader.read("/events?filter=a+%3D+x&filter=&limit=2")
    assert "limit=2" in link
    assert reader.read(link)[0] == first


def test_a_filter_whose_link_would_be_too_long_is_refused(storage, select):
    values = " OR ".join("x" * 100 for _ in range(33))
    text = f"generated >= -2h AND a = ({values})"
    assert len(text) < 4000
    assert "Write absolute times" in select("/events", body={"filter": text}, status=400)
    select("/events", body={"filter": text.replace("-2h", "2024-01-01")})
