# SPDX-License-Identifier: Apache-2.0
"""The feed of the API on a server on which no request can wait."""

import itertools
import json

import pytest

from panko.api.feed import MAX_PAGE_BYTES
from panko.storage import deadlines
from panko.storage.conditions import comparisons_of
from panko.storage.feed import MAX_FEED_LIMIT, Start
from panko.storage.filters import EVERYTHING, EventFilter, Scope, TraitFilter
from panko.storage.models import TraitType
from tests.unit.api.memory import ADMIN, MemoryConnection, make_client
from tests.unit.api.memory_feed import UNAVAILABLE, FeedConnection, to_cursor

STREAM = {**ADMIN, "Accept": "text/event-stream"}
MEMBER = {"X-User-Id": "u", "X-Project-Id": "p", "X-Roles": "member"}


@pytest.fixture
def storage():
    return FeedConnection()


@pytest.fixture
def get(storage):
    """Request the feed: ``get("cursor=begin", 200)``."""
    client = make_client(storage)
    return lambda query="", status=200, headers=ADMIN: client.get(
        f"/event_feed?{query}", headers=headers, status=status
    )


def ids(response):
    return [event["message_id"] for event in response.json["events"]]


def test_a_reader_gets_each_later_event_once(get, storage):
    storage.store(count=3)
    response, seen = get(), []
    assert response.json["events"] == []
    for count in (0, 3, 2):
        storage.store(count=count)
        while True:
            response = get(f"limit=2&cursor={response.json['cursor']}")
            seen += ids(response)
            if not response.json["more"]:
                break
    assert seen == ["3", "4", "5", "6", "7"]


def test_the_document_has_three_members_and_whole_events(get, storage):
    storage.store()
    response = get("cursor=begin")
    assert response.content_type == "application/json"
    assert list(response.json) == ["events", "cursor", "more"]
    assert response.json["events"] == [{"message_id": "0", "event_type": "t", "more": ""}]
    assert response.json["more"] is False


@pytest.mark.parametrize(("query", "start"), [("", Start.NOW), ("cursor=", Start.NOW), ("cursor=begin", Start.OLDEST)])
def test_a_reader_without_a_cursor_begins_now_or_with_the_oldest_event(get, storage, query, start):
    get(query)
    assert storage.reads[0][0].start is start


@pytest.mark.parametrize("accept", [{}, {"Accept": "text/event-stream"}])
def test_the_last_event_id_overrides_the_cursor(get, storage, accept):
    storage.store(count=2)
    cursors = [get(f"cursor=begin&limit={limit}").json["cursor"] for limit in (1, 2)]
    get(f"cursor={cursors[0]}", headers={**ADMIN, **accept, "Last-Event-ID": cursors[1]})
    assert storage.reads[-1][0].start == to_cursor(2)
    get(f"cursor={cursors[0]}", headers={**ADMIN, **accept, "Last-Event-ID": ""})
    assert storage.reads[-1][0].start == to_cursor(1)


def test_filters_are_those_of_the_list_of_events(get, storage):
    get("q.field=vcpus&q.op=gt&q.type=integer&q.value=1&q.field=all_tenants&q.value=True")
    expected = EventFilter(traits_filter=(TraitFilter("vcpus", TraitType.INTEGER, 1, "gt"),))
    assert storage.reads[-1][0].event_filter == expected
    body = {"q": [{"field": "event_type", "value": "a"}, {"field": "all_tenants", "value": "yes"}], "limit": 7}
    sent = make_client(storage).request(
        "/event_feed", method="GET", headers=ADMIN, body=json.dumps(body).encode(), content_type="application/json"
    )
    assert sent.status_code == 200
    (request,) = storage.reads[-1]
    assert (request.event_filter, request.limit) == (EventFilter(event_type="a"), 7)


@pytest.mark.parametrize(
    ("who", "scope"), [(ADMIN, Scope("p", unowned=True)), (MEMBER, Scope("p", "u"))], ids=["admin", "member"]
)
def test_the_policy_decides_what_a_reader_sees(get, storage, who, scope):
    get(headers=who)
    assert storage.reads[-1][0].event_filter.scope == scope


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("", {**ADMIN, "X-User-Id": ""}),
        ("q.field=all_tenants&q.value=True", MEMBER),
        ("cursor=invalid", {**ADMIN, "X-Project-Id": ""}),
    ],
)
def test_unknown_callers_and_foreign_events_are_refused(get, storage, query, headers):
    for accept in ({}, {"Accept": "text/event-stream"}):
        get(query, status=403, headers={**headers, **accept})
    assert not storage.reads


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("limit=0", "limit. Value: '0'. It is a number of events from 1 to 1000."),
        ("limit=1001", "limit. Value: '1001'. It is a number of events from 1 to 1000."),
        ("limit=x", "limit. Value: 'x'."),
        ("wait=-1", "wait. Value: '-1'. It is a number of seconds from 0 to 60."),
        ("wait=61", "wait. Value: '61'. It is a number of seconds from 0 to 60."),
        ("wait=1.5", "wait. Value: '1.5'."),
        ("cursor=invalid", "cursor. Value: 'invalid'. It is not what this user got in this project"),
        ("cursor=Begin", "cursor. Value: 'Begin'."),
        ("cursor=%F0%9F%90%98", "cursor. Value: '\U0001f418'."),
        ("marker=x", 'Unknown argument: "marker"'),
    ],
)
def test_invalid_arguments_are_named(get, storage, query, text):
    for headers in (ADMIN, STREAM):
        assert text in get(query, status=400, headers=headers).json["error_message"]["faultstring"]
    assert not storage.reads


def test_a_cursor_of_another_caller_or_other_filters_is_refused(get, storage):
    cursor = get().json["cursor"]
    others = [{**ADMIN, "X-User-Id": "v"}, {**ADMIN, "X-Project-Id": "q"}]
    assert get(f"cursor={cursor}", headers={**ADMIN, "X-Roles": "member"}).status_code == 200
    for who in others:
        get(f"cursor={cursor}", status=400, headers=who)
    for filters in ("q.field=event_type&q.value=a", "q.field=all_tenants&q.value=True"):
        get(f"cursor={cursor}&{filters}", status=400)


def test_a_cursor_is_valid_for_the_same_filters_in_another_order(get, storage):
    pairs = [f"q.field=event_type&q.value={name}" for name in "ab"]
    cursors = [get("&".join(order)).json["cursor"] for order in itertools.permutations(pairs)]
    for order, cursor in itertools.product(itertools.permutations(pairs), cursors):
        get(f"cursor={cursor}&{'&'.join(order)}")


def test_texts_select_events_and_their_search_has_no_bound_of_its_own(get, storage):
    """A call examines a bounded number of events anyway, for many readers."""
    get("filter=vcpus+%3E+1&filter=generated+%3E%3D+-2h&q.field=event_type&q.value=a")
    (request,) = storage.reads[-1]
    assert request.event_filter.event_type == ("a",)
    assert {each.op for each in comparisons_of(request.event_filter.condition)} == {"gt"}
    assert request.event_filter.start_timestamp
    assert request.event_filter.scan_seconds is None


def test_all_tenants_may_be_an_argument(get, storage):
    cursor = get("all_tenants=True").json["cursor"]
    assert storage.reads[-1][0].event_filter.scope == EVERYTHING
    get(f"q.field=all_tenants&q.value=True&cursor={cursor}")
    get(f"cursor={cursor}", status=400)
    get("all_tenants=True", status=403, headers=MEMBER)


def test_a_cursor_belongs_to_the_texts_and_not_to_the_time_of_the_request(get, storage):
    text = "filter=generated+%3E%3D+-2h"
    cursor = get(text).json["cursor"]
    get(f"{text}&cursor={cursor}")
    get(f"{text}&filter=+&cursor={cursor}")
    get(f"filter=a+%3D+1&{text}&cursor={get(f'{text}&filter=a+%3D+1').json['cursor']}")
    for others in ("", "filter=generated+%3E%3D+-3h", f"{text}&filter=a+%3D+1"):
        get(f"{others}&cursor={cursor}", status=400)
        get(f"{text}&cursor={get(others).json['cursor']}", status=400)


def test_all_cursors_have_one_length(get, storage):
    cursors = set()
    for count in (0, 1, 300):
        storage.store(count=count)
        cursors.add(get().json["cursor"])
    assert len(cursors) == 3
    assert len({len(cursor) for cursor in cursors}) == 1


def test_a_cursor_that_is_gone_is_a_410_with_the_oldest_one(get, storage):
    storage.store(count=3)
    cursor = get("cursor=begin&limit=1").json["cursor"]
    storage.trimmed = 2
    refusal = get(f"cursor={cursor}", status=410).json
    assert list(refusal) == ["oldest", "error_message"]
    assert refusal["error_message"]["faultcode"] == "Client"
    assert "use the cursor in the member oldest" in refusal["error_message"]["faultstring"]
    assert ids(get(f"cursor={refusal['oldest']}")) == ["2"]


def test_a_stream_whose_cursor_is_gone_says_so_and_has_the_oldest_one(get, storage):
    """Browsers would give up if the status were not 200."""
    storage.store(count=3)
    cursor = get("cursor=begin&limit=1").json["cursor"]
    storage.trimmed = 2
    retry, _, id_, *event = get(headers={**STREAM, "Last-Event-ID": cursor}).text.removesuffix("\n\n").split("\n")
    oldest = id_.removeprefix("id: ")
    assert (retry, *event) == ("retry: 1000", "event: gone", f'data: {{"oldest":"{oldest}"}}')
    assert ids(get(f"cursor={oldest}")) == ["2"]


def test_waiting_requests_are_answered_at_once_with_the_time_to_ask_again(get, storage):
    empty = get("wait=60")
    assert empty.headers["Retry-After"] == "1"
    storage.store(count=2)
    full = get(f"wait=60&cursor={empty.json['cursor']}")
    assert ids(full) == ["0", "1"]
    assert "Retry-After" not in full.headers
    assert "Retry-After" not in get().headers


def test_if_there_is_more_to_examine_the_client_need_not_pause(get, storage):
    storage.examined = 1
    storage.store(count=2)
    response = get("wait=60&cursor=begin&q.field=event_type&q.value=other")
    assert (response.json["events"], response.json["more"]) == ([], True)
    assert "Retry-After" not in response.headers


def test_server_sent_events_are_those_that_there_are(get, storage):
    storage.store(count=2)
    response = get("cursor=begin", headers=STREAM)
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache, no-transform"
    assert response.headers["X-Accel-Buffering"] == "no"
    first, second, end = response.text.split("\n\n")
    lines = first.split("\n")
    assert lines[0] == "retry: 1000"
    assert lines[1].startswith(": ")
    assert lines[3:] == ["event: event", 'data: {"message_id": "0", "event_type": "t", "more": ""}']
    for block, number in ((lines[2], 1), (second.split("\n")[0], 2)):
        get(headers={**ADMIN, "Last-Event-ID": block.removeprefix("id: ")})
        assert storage.reads[-1][0].start == to_cursor(number)
    assert end == ""


def test_a_stream_without_events_has_a_cursor(get, storage):
    response = get(headers=STREAM)
    retry, *comments, last = response.text.removesuffix("\n\n").split("\n")
    assert retry == "retry: 1000"
    assert all(comment.startswith(": ") for comment in comments)
    storage.store()
    assert ids(get(headers={**ADMIN, "Last-Event-ID": last.removeprefix("id: ")})) == ["0"]


@pytest.mark.parametrize(
    "accept", ["*/*", "", "application/*", "application/json;q=0.9, text/html", "text/event-stream;q=0.5, */*"]
)
def test_json_is_the_default(get, accept):
    assert get(headers={**ADMIN, "Accept": accept}).content_type == "application/json"


@pytest.mark.parametrize("accept", ["text/event-stream", "TEXT/event-stream", "application/json;q=0.5, text/*"])
def test_server_sent_events_are_sent_to_who_prefers_them(get, accept):
    assert get(headers={**ADMIN, "Accept": accept}).content_type == "text/event-stream"


@pytest.mark.parametrize("accept", ["application/xml", "text/html"])
def test_nothing_else_is_offered(get, accept):
    get(headers={**ADMIN, "Accept": accept}, status=406)


@pytest.mark.parametrize("headers", [ADMIN, STREAM], ids=["JSON", "events"])
def test_a_page_has_a_limited_size_and_at_least_one_event(get, storage, headers):
    storage.store(count=10, more="x" * (MAX_PAGE_BYTES // 4))
    storage.store(more="x" * 2 * MAX_PAGE_BYTES)
    cursor, pages = "begin", []
    while len(pages) < 5:
        page = get(f"cursor={cursor}&limit=1000", headers=headers)
        if headers is ADMIN:
            cursor = page.json["cursor"]
            pages.append(len(ids(page)))
            more = page.json["more"]
        else:
            cursor = page.text.rpartition("\nid: ")[2].partition("\n")[0]
            pages.append(page.text.count("\nevent: event\n"))
            more = sum(pages) < 11
        if not more:
            break
    assert pages == [3, 3, 3, 1, 1]


@pytest.mark.parametrize(
    ("configured", "query", "expected"),
    [
        ({}, "", 100),
        ({}, "limit=1000", 1000),
        ({"default_api_return_limit": 7}, "", 7),
        ({"default_api_return_limit": 5000}, "", MAX_FEED_LIMIT),
        ({"max_api_return_limit": 9}, "limit=50", 9),
        ({"max_api_return_limit": 9}, "", 9),
        ({"max_api_return_limit": 5000}, "limit=1000", MAX_FEED_LIMIT),
    ],
)
def test_the_configured_limits_apply(storage, configured, query, expected):
    make_client(storage, **configured).get(f"/event_feed?{query}", headers=ADMIN)
    assert storage.reads[-1][0].limit == expected


def test_a_driver_without_a_feed_is_not_supported():
    client = make_client(MemoryConnection())
    for headers in (ADMIN, STREAM):
        refusal = client.get("/event_feed", headers=headers, status=501)
        assert "events:feed" in refusal.json["error_message"]["faultstring"]


@pytest.mark.parametrize("headers", [ADMIN, STREAM], ids=["JSON", "events"])
def test_an_unavailable_database_is_a_503(get, storage, headers):
    storage.failure = UNAVAILABLE
    assert get("wait=9", status=503, headers=headers).headers["Retry-After"] == "10"


def test_a_read_has_a_deadline(get, storage, monkeypatch):
    left = []
    read = storage.read_feed
    monkeypatch.setattr(storage, "read_feed", lambda requests: left.append(deadlines.seconds_left()) or read(requests))
    get()
    assert 0 < left[0] <= 30


def test_the_feed_can_only_be_read(get, storage):
    client = make_client(storage)
    assert client.post("/event_feed", headers=ADMIN, status=405).headers["Allow"] == "GET, HEAD"
    client.get("/event_feed/x", headers=ADMIN, status=404)
