# SPDX-License-Identifier: Apache-2.0
"""The walks of the documentation are what happens: their functions are called, in that order."""

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import webtest

import panko
from panko import service
from panko.api import app
from panko.filter_language.reader import load_parser
from panko.ingest.collector import Collector
from panko.ingest.decoding import read_notification
from panko.ingest.stats import Stats
from panko.storage import get_connection
from tests.functional.api.conftest import MEMBER, NOAUTH, fill, write_config
from tests.unit.doc.test_walks import read_walk

PACKAGE = Path(panko.__file__).parent


@contextlib.contextmanager
def tracing() -> Iterator[dict[tuple[str, str], None]]:
    """Give a list of the functions of Panko that are called in the block, in the order of their first calls."""
    called = {}

    def note(frame, event, _):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            # Of a function in another one, such as a decorator's, it is the outer one that has a name.
            name = frame.f_code.co_qualname.partition(".<locals>")[0]
            called.setdefault((str(path.relative_to(PACKAGE)), name))

    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)


def in_order(steps, called):
    """Return those of some steps that were called, in the order of the calls."""
    return [step for step in called if step in steps]


def test_a_request_goes_the_way_that_the_documentation_says(tmp_path):
    url = f"sqlite:///{tmp_path}/panko.sqlite"
    fill(url)
    conf = service.prepare_service([], config_files=[str(write_config(tmp_path, url))], share=True)
    application = app.load_app(conf, NOAUTH)
    address = "/v2/events?q.field=size&q.op=gt&q.type=integer&q.value=-60&marker=msg-000&limit=1"
    with tracing() as called:
        response = webtest.TestApp(application).get(address, headers=MEMBER)
    application.close()
    assert response.json
    assert "Link" in response.headers
    walk = read_walk("walk-of-a-request")
    assert in_order(walk, called) == walk


def test_a_filter_goes_the_way_that_the_documentation_says(tmp_path):
    url = f"sqlite:///{tmp_path}/panko.sqlite"
    fill(url)
    conf = service.prepare_service([], config_files=[str(write_config(tmp_path, url))], share=True)
    application = app.load_app(conf, NOAUTH)
    load_parser.cache_clear()
    filters = {"filter": "size > -60 AND NOT service : nothing"}
    with tracing() as called:
        response = webtest.TestApp(application).get("/v2/events", filters, headers=MEMBER)
    application.close()
    assert response.json
    walk = read_walk("walk-of-a-filter")
    assert in_order(walk, called) == walk


def test_a_panel_of_grafana_goes_the_way_that_the_documentation_says(tmp_path):
    url = f"sqlite:///{tmp_path}/panko.sqlite"
    fill(url)
    conf = service.prepare_service([], config_files=[str(write_config(tmp_path, url))], share=True)
    application = app.load_app(conf, NOAUTH)
    target = {"refId": "A", "target": "event_counts", "payload": {"group_by": "event_type"}}
    body = {"range": {"from": "2015-01-01T00:00:00Z", "to": "2017-01-01T00:00:00Z"}, "targets": [target]}
    with tracing() as called:
        response = webtest.TestApp(application).post_json("/grafana/query", body, headers=MEMBER)
    application.close()
    assert response.json
    walk = read_walk("walk-of-a-panel")
    assert in_order(walk, called) == walk


def test_a_page_goes_the_way_that_the_documentation_says(tmp_path):
    url = f"sqlite:///{tmp_path}/panko.sqlite"
    fill(url)
    conf = service.prepare_service([], config_files=[str(write_config(tmp_path, url))], share=True)
    application = app.load_app(conf, NOAUTH)
    with tracing() as called:
        response = webtest.TestApp(application).get("/explorer?search=size+%3E+-60&range=all&parts=all")
    application.close()
    assert '<tr class="row' in response.text
    walk = read_walk("walk-of-a-page")
    assert in_order(walk, called) == walk


def test_a_reader_of_the_feed_goes_the_way_that_the_documentation_says(tmp_path):
    url = f"sqlite:///{tmp_path}/panko.sqlite"
    fill(url)
    conf = service.prepare_service([], config_files=[str(write_config(tmp_path, url))], share=True)
    application = app.load_app(conf, NOAUTH)
    client = webtest.TestApp(application)
    first = client.get("/v2/event_feed?cursor=begin&limit=1", headers=MEMBER).json
    with tracing() as called:
        response = client.get(f"/v2/event_feed?cursor={first['cursor']}&wait=30", headers=MEMBER)
    application.close()
    assert response.json["events"]
    walk = read_walk("walk-of-a-reader")
    assert in_order(walk, called) == walk


def test_an_event_goes_the_way_that_the_documentation_says(tmp_path):
    connection = get_connection(f"sqlite:///{tmp_path}/panko.sqlite", service.prepare_service([], [], share=True))
    connection.upgrade()
    collector = Collector(connection, None, Stats(), threading.Event())
    event = {"message_id": "1", "event_type": "a.b", "generated": "2026-01-02T03:04:05", "traits": [["vcpus", 2, 2]]}
    body = json.dumps({"event_type": "event", "payload": [event]})
    with tracing() as called:
        assert collector.collect([read_notification(body)["payload"]])
    connection.close()
    # These two need oslo.messaging, which changes the process; their own tests show that they are called.
    with_a_broker = ("ingest/amqp_transport.py", "ingest/listener.py")
    walk = [step for step in read_walk("walk-of-an-event") if step[0] not in with_a_broker]
    assert in_order(walk, called) == walk
