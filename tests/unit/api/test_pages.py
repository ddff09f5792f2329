# SPDX-License-Identifier: Apache-2.0
"""Pages of events know the link to the next page; whoever follows the links misses no event and gets none twice."""

import datetime
import random
import re
import urllib.parse

import orjson
import pytest
import webob
from hypothesis import given, settings
from hypothesis import strategies as st

from panko.api import pages
from panko.api.pages import MAX_LINK_CHARACTERS
from panko.api.response import MAX_UNSTREAMED_BYTES
from panko.storage import deadlines
from panko.storage.errors import NotSupported, QueryTimeout, ScanTimeout, StorageTimeout, StorageUnavailable
from panko.storage.models import Event, Trait, TraitType
from tests.unit.api.memory import ADMIN, EventConnection, make_application

GRAFANA = "panko.api.controllers.grafana.GrafanaController"
START = datetime.datetime(2024, 1, 1, microsecond=5)
TEXT_CHARACTERS = MAX_UNSTREAMED_BYTES // 10
STREAMED = 11
"""Number of large events that are too large for a response that is not streamed."""

LISTS = {"documents": "/events", "rows": "/rows"}


def event(number, size=1):
    """Return an event; several have the same time."""
    text = random.Random(number).randbytes(size).hex()[:size]
    return Event(
        f"m{number:03}", "t", START + datetime.timedelta(seconds=number // 3), [Trait("x", TraitType.TEXT, text)]
    )


def events(count, size=1):
    return [event(number, size) for number in range(count)]


def large(count):
    return events(count, TEXT_CHARACTERS)


class Client:
    """Reads one of the lists."""

    def __init__(self, storage, path="/events"):
        self.storage = storage
        self.path = path
        self.oldest_first = {"/events": "sort=generated", "/rows": "order=oldest"}[path]
        self._application = make_application(storage, *([GRAFANA] if path == "/rows" else []))

    def send(self, url, headers=ADMIN, **more):
        return webob.Request.blank(url, headers=headers, **more).get_response(self._application)

    def first(self, query="limit=3", **headers):
        return self.send(f"{self.path}?{query}", {**ADMIN, **headers})

    def walk(self, url, between=lambda: None):
        """Return the message_ids of a page and all next ones; none if there is no page."""
        found = []
        while url is not None:
            response = self.send(url)
            assert response.status_int == 200, response.text
            found += ids(response)
            url = next_url(response)
            between()
        return found


def ids(response):
    members = orjson.loads(response.body)
    return [each["message_id"] for each in (members if isinstance(members, list) else members["rows"])]


def next_url(response):
    if "Link" not in response.headers:
        return None
    (url,) = re.fullmatch(r'<([^<>"\s]+)>; rel="next"', response.headers["Link"]).groups()
    return url


def arguments_of(url):
    return urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True)


def message(response, status=400):
    assert response.status_int == status
    return response.json["error_message"]["faultstring"]


@pytest.fixture(params=LISTS.values(), ids=LISTS)
def client(request):
    """A client of a list of ten events, once of each list."""
    return Client(EventConnection(events(10)), request.param)


@pytest.mark.parametrize(("limit", "has_link"), [(1, True), (9, True), (10, False), (11, False), (1000, False)])
def test_a_page_has_a_link_only_if_there_are_more(client, limit, has_link):
    response = client.first(f"limit={limit}")
    assert len(ids(response)) == min(limit, 10)
    assert (next_url(response) is not None) == has_link
    assert client.storage.open == 0


def test_no_events_have_no_link(client):
    client.storage.events.clear()
    assert next_url(client.first()) is None


@pytest.mark.parametrize("size", [1, 3, 4])
def test_the_links_lead_through_all_events(client, size):
    assert client.walk(f"{client.path}?limit={size}&{client.oldest_first}") == [each.message_id for each in events(10)]


@pytest.mark.parametrize(
    "sort",
    ["", "sort=generated:desc", "sort=message_id", "sort=message_id:desc", "sort=generated&sort=message_id:desc"],
)
def test_the_links_keep_any_order(sort):
    client = Client(EventConnection(random.Random(1).sample(events(10), 10)))
    assert client.walk(f"/events?limit=3&{sort}") == ids(client.first(f"limit=100&{sort}"))


def test_a_link_keeps_all_other_arguments():
    client = Client(EventConnection(events(10)))
    kept = [
        *[("q.field", "a b"), ("q.op", "ge"), ("q.type", "string"), ("q.value", "é&=;<>\"',+%")],
        *[("q.field", "all_tenants"), ("q.op", "eq"), ("q.type", ""), ("q.value", "True")],
        *[("sort", "generated:desc"), ("sort", "message_id"), ("limit", "2")],
    ]
    first = client.first(urllib.parse.urlencode([*kept, ("marker", "m008")]))
    for response in (first, client.send(next_url(first))):
        *others, (name, token) = arguments_of(next_url(response))
        assert (others, name) == (kept, "after")
        assert re.fullmatch(r"[\w-]{50,}", token)


def test_a_link_of_rows_keeps_all_other_arguments():
    client = Client(EventConnection(events(10)), "/rows")
    kept = [("trait.a.b", "é ;"), ("event_type", "t"), ("event_type", "u"), ("limit", "2"), ("from", "")]
    response = client.first(urllib.parse.urlencode([*kept, ("cursor", "m005")]))
    assert arguments_of(next_url(response))[:-1] == kept


def test_a_link_has_the_address_that_the_client_used(client):
    environ = {"wsgi.url_scheme": "https", "HTTP_HOST": "cloud:13977", "SCRIPT_NAME": "/event/v2"}
    response = client.send(f"{client.path}?limit=1", environ=environ)
    assert next_url(response).partition("?")[0] == f"https://cloud:13977/event/v2{client.path}"


@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
def test_a_link_does_not_depend_on_the_format(accept):
    client = Client(EventConnection(events(10)))
    response = client.first(Accept=accept)
    assert response.content_type == accept
    assert ids(client.send(next_url(response))) == ["m003", "m004", "m005"]


def test_filters_in_the_body_go_with_the_link():
    client = Client(EventConnection(events(10)))
    body = {"body": b'{"q": [{"field": "a", "value": "b"}], "limit": 4}', "content_type": "application/json"}
    headers = {**ADMIN, "Content-Type": "application/json"}
    first = client.send("/events", headers, method="GET", **body)
    assert arguments_of(next_url(first))[0][0] == "after"
    second = client.send(next_url(first), headers, method="GET", **body)
    assert (ids(first), ids(second)) == (["m000", "m001", "m002", "m003"], ["m004", "m005", "m006", "m007"])


def test_a_link_overrides_a_marker_in_the_body():
    client = Client(EventConnection(events(10)))
    body = {"body": b'{"marker": "m001", "limit": 4}', "content_type": "application/json"}
    headers = {**ADMIN, "Content-Type": "application/json"}
    first = client.send("/events", headers, method="GET", **body)
    second = client.send(next_url(first), headers, method="GET", **body)
    assert (ids(first), ids(second)) == (["m002", "m003", "m004", "m005"], ["m006", "m007", "m008", "m009"])
    token = dict(arguments_of(next_url(first)))["after"]
    both = client.send("/events", headers, method="GET", body=orjson.dumps({"marker": "m001", "after": token}))
    assert message(both) == "Give either after or marker, not both."


def test_a_page_may_also_get_its_place_in_the_body():
    client = Client(EventConnection(events(10)))
    ((_, token),) = (pair for pair in arguments_of(next_url(client.first())) if pair[0] == "after")
    headers = {**ADMIN, "Content-Type": "application/json"}
    response = client.send("/events?limit=2", headers, method="GET", body=orjson.dumps({"after": token}))
    assert ids(response) == ["m003", "m004"]


def test_links_survive_the_deletion_of_the_last_event_of_each_page(client):
    first = client.first(f"limit=3&{client.oldest_first}")
    del client.storage.events[2:4]  # The last one of the page, and the next one.
    assert ids(client.send(next_url(first))) == ["m004", "m005", "m006"]
    client.storage.events.clear()
    assert ids(client.send(next_url(first))) == []


def test_events_stored_meanwhile_are_shown_if_they_are_ahead(client):
    """Those that were there all the time are shown once, in any case."""
    later, earlier = iter(events(100)[50:]), iter(events(40)[20:])
    client.storage.events = events(50)[40:]

    def between():
        client.storage.events += [next(later, event(50)), next(earlier, event(20))]

    found = client.walk(f"{client.path}?limit=3&{client.oldest_first}", between)
    assert found[:10] == [each.message_id for each in events(50)[40:]]
    assert found == sorted(set(found))
    assert "m050" in found


@pytest.mark.parametrize(("path", "marker"), [("/events", "marker"), ("/rows", "cursor")])
def test_a_place_and_a_marker_exclude_each_other(path, marker):
    client = Client(EventConnection(events(10)), path)
    url = f"{next_url(client.first())}&{marker}=m001"
    assert message(client.send(url)) == f"Give either after or {marker}, not both."


def test_an_empty_place_is_none(client):
    assert ids(client.first("limit=3&after=")) == ids(client.first())
    marker = "marker" if client.path == "/events" else "cursor"
    assert ids(client.first(f"limit=3&after=&{marker}=m001")) == ids(client.first(f"limit=3&{marker}=m001"))


@pytest.mark.parametrize("after", ["x", "m001", "%C3%A9", "A" * 80, "A" * 10_000, "%00"])
def test_a_made_up_place_is_refused(client, after):
    text = message(client.first(f"limit=3&after={after}"))
    assert "field/attribute after" in text
    assert "It is not what this user got in this project. Begin again without it." in text


NAMES = st.sampled_from(["u", "p", "q"])
IDENTITIES = st.fixed_dictionaries({"X-User-Id": NAMES, "X-Project-Id": NAMES, "X-Roles": st.just("admin")})


@settings(deadline=None)
@given(IDENTITIES, IDENTITIES, st.data())
def test_a_place_is_valid_only_as_it_is_and_for_whoever_got_it(one, other, data):
    client = Client(EventConnection(events(4)), data.draw(st.sampled_from(["/events", "/rows"])))
    url = next_url(client.send(f"{client.path}?limit=2", one))
    assert (client.send(url, other).status_int == 200) == (one == other)
    start = url.index("after=") + len("after=")
    index = data.draw(st.integers(start, len(url) - 1))
    changed = data.draw(st.sampled_from("-_09AZaz"))
    if url[index] != changed:
        assert "field/attribute after" in message(client.send(url[:index] + changed + url[index + 1 :], one))


def test_a_place_may_be_used_with_other_filters_and_orders():
    client = Client(EventConnection(events(10)))
    token = dict(arguments_of(next_url(client.first())))["after"]
    assert ids(client.first(f"limit=100&sort=generated:desc&after={token}")) == ["m001", "m000"]


class WithoutSecret(EventConnection):
    """A storage of another driver."""

    def get_secret(self):
        raise NotSupported("events:feed")


@pytest.mark.parametrize("path", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("made", [events, large])
def test_a_driver_without_a_secret_has_no_links(path, made):
    client = Client(WithoutSecret(made(STREAMED + 5)), path)
    response = client.first(f"limit={STREAMED + 3}")
    assert next_url(response) is None
    assert len(ids(response)) == STREAMED + 3
    assert client.first("after=x").status_int == 501


@pytest.mark.parametrize("more", [0, 1])
def test_a_streamed_page_with_a_large_limit_has_no_link(client, monkeypatch, more):
    monkeypatch.setattr(pages, "MAX_LINKED_EVENTS", STREAMED)
    client.storage.events = large(STREAMED + 1 + more)
    response = client.first(f"limit={STREAMED + 1}&{client.oldest_first}")
    assert next_url(response) is None
    assert len(ids(response)) == STREAMED + 1
    if client.path == "/rows":
        assert response.json["next"] == (f"m{STREAMED:03}" if more else None)


@pytest.mark.parametrize("length", [MAX_LINK_CHARACTERS - 200, MAX_LINK_CHARACTERS])
def test_a_link_that_is_too_long_for_proxies_is_left_out(length):
    client = Client(EventConnection(events(10)))
    response = client.first(f"limit=3&q.field=a&q.value={'b' * length}")
    assert (next_url(response) is None) == (length == MAX_LINK_CHARACTERS)


class Slow(EventConnection):
    """A storage that finds three events soon, and the next one never."""

    def __init__(self, error):
        super().__init__(events(3))
        self.error = error

    def get_events(self, event_filter, pagination=None):
        yield from super().get_events(event_filter, pagination)
        self.seconds_left = deadlines.seconds_left()
        raise self.error


@pytest.mark.parametrize("error", [QueryTimeout(), ScanTimeout(10)])
def test_a_full_page_has_a_link_if_it_takes_long_to_find_out_whether_there_are_more(client, error):
    storage = Slow(error)
    response = Client(storage, client.path).first("limit=3")
    assert len(ids(response)) == 3
    assert next_url(response) is not None
    assert 0 < storage.seconds_left <= pages.MAX_LOOKAHEAD_SECONDS


def test_other_errors_are_errors_after_a_full_page_too(client):
    assert Client(Slow(StorageUnavailable()), client.path).first("limit=3").status_int == 503
    assert Client(Slow(QueryTimeout()), client.path).first("limit=4").status_int == 503
    assert "Narrow the time range" in message(Client(Slow(ScanTimeout(10)), client.path).first("limit=4"))


@pytest.mark.parametrize("left", [0, 1, 3])
@pytest.mark.parametrize("more", [0, 2])
def test_a_streamed_page_has_a_link_only_if_there_are_more(client, left, more):
    client.storage.events = large(STREAMED + left + more)
    response = client.first(f"limit={STREAMED + left}&{client.oldest_first}")
    assert response.content_length is None
    found = ids(response)
    assert (next_url(response) is not None) == bool(more)
    found += client.walk(next_url(response))
    assert found == [each.message_id for each in client.storage.events]
    assert client.storage.open == 0


@pytest.mark.parametrize("more", [0, 5])
def test_a_streamed_page_ends_where_its_link_begins_whatever_is_stored_and_deleted(client, more):
    """Events are stored before and after its last event, which is deleted."""
    there, count = large(STREAMED + 10 + more), STREAMED + 10
    last = there.pop(count - 1)
    client.storage.events = [*there, last]
    response = client.first(f"limit={count}&{client.oldest_first}")
    names = f"m{count - 2:03}!", f"{last.message_id}!"
    client.storage.events = [*there, *(Event(name, "t", last.generated) for name in names), event(500)]
    client.storage.events.sort(key=lambda each: each.message_id)
    page = ids(response)
    following = client.walk(next_url(response))
    assert page == [each.message_id for each in client.storage.events if each.message_id < last.message_id]
    assert page + following == sorted({*page, *following})
    if more:
        assert {each.message_id for each in client.storage.events} - {*page, *following} == set()


def test_a_streamed_page_without_a_link_does_not_grow_while_it_is_sent(client):
    """Otherwise a slow client could read it forever."""
    client.storage.events = large(STREAMED + 2)
    response = client.first(f"limit=1000&{client.oldest_first}")
    client.storage.events.append(event(500))
    assert len(ids(response)) == STREAMED + 2


class Fragile(EventConnection):
    """A storage that cannot find the end of a page."""

    def __init__(self, error):
        super().__init__(large(STREAMED + 2))
        self.error = error

    def find_end(self, event_filter, page):
        self.seconds_left = deadlines.seconds_left()
        raise self.error


@pytest.mark.parametrize("error", [QueryTimeout, StorageTimeout])
def test_a_streamed_page_whose_end_is_not_found_soon_has_no_link(client, error):
    client = Client(Fragile(error()), client.path)
    for _ in range(2):  # The application can stream one response at a time.
        response = client.first(f"limit={STREAMED + 1}&{client.oldest_first}")
        assert next_url(response) is None
        assert len(ids(response)) == STREAMED + 1
        assert 0 < client.storage.seconds_left <= pages.MAX_END_SECONDS
        if client.path == "/rows":
            assert response.json["next"] == f"m{STREAMED:03}"
    assert client.storage.open == 0


def test_a_linked_page_whose_end_cannot_be_found_is_an_error_and_frees_its_slot(client):
    """Without a link, it would seem the last page."""
    storage = Fragile(QueryTimeout())
    client = Client(storage, client.path)
    storage.events.insert(0, event(0))
    url = next_url(client.first("limit=1")).replace("limit=1&", "limit=1000&")
    for _ in range(2):  # The application can stream one response at a time.
        assert "more time than the database may spend on it" in message(client.send(url), 503)
        assert storage.seconds_left > pages.MAX_END_SECONDS
    assert storage.open == 0


def test_other_errors_of_the_end_are_errors(client):
    assert Client(Fragile(ScanTimeout(10)), client.path).first("limit=1000").status_int == 400
    assert Client(Fragile(StorageUnavailable()), client.path).first("limit=1000").status_int == 503
