# SPDX-License-Identifier: Apache-2.0
"""Clients with unusual requests, from their first request on, against a real server."""

import json
import time
import urllib.parse

ALL = {"field": "all_tenants", "value": "True"}


def send(connection, path, token, body=None, **headers):
    """Send a request on a persistent connection, optionally with a JSON body."""
    content = None if body is None else json.dumps(body)
    connection.request("GET", path, content, {"X-Auth-Token": token, "Accept": "application/json", **headers})
    response = connection.getresponse()
    return response.status, response.headers.get_content_type(), json.loads(response.read())


def ids(events):
    return sorted(event["message_id"] for event in events)


def test_fog_polls_with_a_body_and_gets_a_new_token_when_the_old_one_is_refused(panko):
    """The body of a refused request is not mistaken for the next request on the same connection."""
    form = {"Content-Type": "application/json"}
    expired = panko.keystone.short_token("boss", "demo", seconds=1)
    time.sleep(2)
    since = {"field": "start_timestamp", "op": "ge", "value": ""}
    with panko.server.connect() as connection:
        status, content_type, refusal = send(connection, "/v2/events", expired, {"q": [since, ALL]}, **form)
        assert (status, content_type) == (401, "application/json")
        assert refusal["error_message"]["faultstring"]
        token = panko.keystone.token("boss", project="demo")
        status, content_type, events = send(connection, "/v2/events", token, {"q": [since, ALL]}, **form)
        assert (status, content_type) == (200, "application/json")
        assert ids(events) == ["-", "a", "b", "c", "d"]
        for value, expected in ((events[-1]["generated"], 5), ("2026-01-02T03:04:00Z", 5), ("2026-01-02T03:04:06Z", 0)):
            polled = send(connection, "/v2/events", token, {"q": [{**since, "value": value}, ALL]}, **form)
            assert len(polled[2]) == expected
        assert ids(send(connection, "/v2/events", token, {"q": []}, **form)[2]) == ["-", "a", "b", "c"]


def test_ceilometerclient_reads_the_versions_and_sends_all_four_arrays(panko):
    """Including empty ones, to the address in the list of versions."""
    token = panko.keystone.token("boss", project="demo")
    with panko.server.connect() as connection:
        _, _, versions = send(connection, "/", token)
        (address,) = (link["href"] for link in versions["versions"]["values"][0]["links"] if link["rel"] == "self")
        base = urllib.parse.urlsplit(address)
        assert base.netloc == f"127.0.0.1:{panko.server.port}"
        for query, expected in (
            ("q.field=of&q.op=&q.type=&q.value=a&limit=2", ["a"]),
            ("q.field=event_type&q.field=of&q.op=eq&q.op=&q.type=&q.type=string&q.value=t&q.value=b", ["b"]),
            ("q.field=of&q.field=all_tenants&q.op=&q.op=&q.type=&q.type=&q.value=d&q.value=True", ["d"]),
        ):
            status, _, events = send(connection, f"{base.path}/events?{query}", token)
            assert status == 200
            assert ids(events) == expected
        assert send(connection, f"{base.path}/event_types", token)[2] == ["t"]
