# SPDX-License-Identifier: Apache-2.0
"""Whoever follows the links to next pages misses no event and gets none twice, while events are stored and expire."""

import datetime
import re
import urllib.parse

import pytest
import webob

from panko import service
from panko.api import app
from panko.api.response import MAX_UNSTREAMED_BYTES
from panko.storage import get_connection
from panko.storage.models import Event, Trait
from tests.functional.api.conftest import ADMIN, MEMBER, NOAUTH, write_config

pytestmark = pytest.mark.slow

START = datetime.datetime(2024, 1, 1)
PAGE = 7
COUNT = 240
"""Numbers of events; those that are even are stored at first."""

LARGE = MAX_UNSTREAMED_BYTES // 10
LARGE_COUNT = 140
MIN_STREAMED = 12
"""Number of large events that are too large for a response that is not streamed."""

PROJECTS = ("proj-0", "proj-1", None)


def ask(*filters):
    return [(f"q.{name}", part) for each in filters for name, part in zip(MEMBERS, each, strict=True)]


MEMBERS = ("field", "op", "type", "value")
ALL = ("all_tenants", "eq", "", "True")

LISTS = {
    "all": (ADMIN, "/v2/events", ask(ALL)),
    "own and unowned": (ADMIN, "/v2/events", []),
    "of a user": (MEMBER, "/v2/events", []),
    "of a type": (ADMIN, "/v2/events", ask(ALL, ("event_type", "eq", "", "b"))),
    "with a trait": (ADMIN, "/v2/events", ask(ALL, ("color", "eq", "string", "red"))),
    "with a trait that no index finds": (ADMIN, "/v2/events", ask(ALL, ("weight", "lt", "float", "0.5"))),
    "rows": (ADMIN, "/grafana/rows", [("order", "oldest"), ("all_tenants", "false")]),
    "rows of a user": (MEMBER, "/grafana/rows", [("order", "oldest")]),
}


@pytest.fixture(scope="module")
def loaded(module_url, tmp_path_factory):
    """The application on an empty database, and a connection to that."""
    path = write_config(tmp_path_factory.mktemp("links"), module_url)
    conf = service.prepare_service([], config_files=[str(path)], share=True)
    storage = get_connection(module_url, conf)
    storage.upgrade()
    application = app.load_app(conf, NOAUTH)
    yield application, storage
    application.close()
    storage.close()


@pytest.fixture
def storage(loaded):
    """A connection to the empty database."""
    loaded[1].clear()
    return loaded[1]


@pytest.fixture
def get(loaded):
    """A function that requests a URL, and returns the response before it is read."""

    def get(url, headers=ADMIN, **more):
        response = webob.Request.blank(url, headers=headers, **more).get_response(loaded[0])
        assert response.status_int == 200, response.text
        return response

    return get


def event(number, size=1):
    """Return an event, whose text has a size; three at a time have the same time."""
    project = PROJECTS[number % 3]
    traits = [
        *([Trait("project_id", 1, project), Trait("user_id", 1, "user-0")] if project else []),
        Trait("color", 1, "blue" if number % 8 == 4 else "red"),
        Trait("weight", 3, number % 5 / 5),
        Trait("text", 1, "x" * size),
    ]
    generated = START + datetime.timedelta(seconds=number // 3)
    return Event(f"m{number:04}", "a" if number % 8 == 2 else "b", generated, traits)


def ids(response):
    members = response.json
    return [each["message_id"] for each in (members if isinstance(members, list) else members["rows"])]


def next_url(response):
    link = response.headers.get("Link")
    return link and re.fullmatch('<(.*)>; rel="next"', link)[1]


def expire_before(storage, generated):
    storage.clear_expired_data(0, now=generated)


def url_of(path, arguments, limit):
    return f"{path}?{urllib.parse.urlencode([*arguments, ('limit', limit)])}"


@pytest.mark.parametrize("name", LISTS)
def test_pages_have_each_event_once_while_others_expire_behind_and_are_stored(storage, get, name):
    """The last event of each page expires before the next one is requested, with all events before it."""
    headers, path, arguments = LISTS[name]
    storage.record_events(map(event, range(0, COUNT, 2)))
    there = ids(get(url_of(path, arguments, COUNT), headers))
    assert len(there) > 3 * PAGE
    url, found = url_of(path, arguments, PAGE), []
    while url:
        response = get(url, headers)
        page = ids(response)
        assert len(page) == PAGE or next_url(response) is None
        found += page
        last = int(found[-1][1:])
        storage.clear_expired_data(0, now=event(last).generated + datetime.timedelta(microseconds=1))
        storage.record_events([event(last + 11), event(last + 1), event(max(0, last - 31))])
        url = next_url(response)
    # Events of the time of the last one of a page have expired with it.
    times = {int(name[1:]) // 3 for name in found}
    assert not [name for name in there if name not in found and int(name[1:]) // 3 not in times]
    assert found == sorted(set(found))


@pytest.mark.parametrize("sort", ["generated:desc", "message_id", "message_id:desc", "generated"])
def test_pages_have_each_event_once_in_any_order(storage, get, sort):
    storage.record_events(map(event, range(0, COUNT, 2)))
    arguments = [*ask(ALL), ("sort", sort)]
    there = ids(get(url_of("/v2/events", arguments, COUNT)))
    url, found, numbers = url_of("/v2/events", arguments, PAGE), [], iter(range(1, COUNT, 2))
    while url:
        response = get(url)
        found += ids(response)
        storage.record_events([event(next(numbers)), event(COUNT + len(found)), event(COUNT - 1 - len(found))])
        url = next_url(response)
    assert set(there) <= set(found)
    assert found == sorted(set(found), reverse=sort.endswith("desc"))


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("more", [0, 1, 9])
def test_a_streamed_page_ends_where_the_next_one_begins(storage, get, name, more):
    """After the headers were sent, events are stored everywhere, also before and after the last one of the page."""
    headers, path, arguments = LISTS[name]
    storage.record_events(event(number, LARGE) for number in range(0, LARGE_COUNT, 2))
    there = ids(get(url_of(path, arguments, COUNT), headers))
    limit = len(there) - more
    assert limit > MIN_STREAMED
    response = get(url_of(path, arguments, limit), headers)
    assert response.content_length is None
    storage.record_events(event(number) for number in range(1, LARGE_COUNT + 10, 2))
    found = ids(response)
    assert found[-1] == there[limit - 1]
    url = next_url(response)
    assert (url is None) == (more == 0)
    while url:
        response = get(url, headers)
        found += ids(response)
        url = next_url(response)
    assert set(there) <= set(found)
    assert found == sorted(set(found))


@pytest.mark.parametrize("name", ["all", "of a user", "rows"])
def test_a_streamed_page_ends_where_the_next_one_begins_if_its_last_event_is_deleted(storage, get, name):
    headers, path, arguments = LISTS[name]
    storage.record_events(event(number, LARGE) for number in range(0, LARGE_COUNT, 2))
    there = ids(get(url_of(path, arguments, COUNT), headers))
    response = get(url_of(path, arguments, limit := len(there) - 5), headers)
    last = int(there[limit - 1][1:])
    storage.clear_expired_data(0, now=event(last).generated + datetime.timedelta(microseconds=1))
    storage.record_events([event(last - 1), event(last + 1)])
    found = ids(response)
    assert found[-1] < there[limit - 1]
    following = ids(get(next_url(response), headers))
    assert following[-1] == there[-1]
    assert following[0] > there[limit - 1]


def test_head_has_a_link_that_works(storage, get):
    storage.record_events(map(event, range(5)))
    first = get("/v2/events?limit=2", method="HEAD")
    assert first.body == b""
    assert ids(get(next_url(first))) == ["m0003"]


def test_a_place_reveals_no_event_of_others(storage, get):
    """With a place, a caller sees what is visible without it, and nothing else."""
    storage.record_events(map(event, range(30)))
    whole = ids(get("/v2/events?limit=100", MEMBER))
    response = get("/v2/events?limit=1", MEMBER)
    assert ids(get(next_url(response).replace("limit=1", "limit=100"), MEMBER)) == whole[1:]
