# SPDX-License-Identifier: Apache-2.0
"""The events that ``make run`` stores each minute are like those of the sample, but new; and its port is checked."""

import datetime

import pytest

from panko.ingest import decoding
from tools import run_sample

NOW = datetime.datetime(2030, 1, 2, 3, 4, 5)


def test_each_request_of_the_sample_becomes_a_new_one_that_ended_now():
    requests = run_sample.sample_requests()
    assert len(requests) > 50
    for events in requests:
        repeated = run_sample.repeat(events, NOW)
        assert max(event["generated"] for event in repeated) == NOW.isoformat()
        assert [event["event_type"] for event in repeated] == [event["event_type"] for event in events]
        assert {event["message_id"] for event in repeated}.isdisjoint(event["message_id"] for event in events)
        request_ids = {value for event in repeated for name, _, value in event["traits"] if name == "request_id"}
        assert len(request_ids) <= 1
        assert "req-" in "".join(request_ids) or not request_ids


def test_the_times_of_a_new_event_keep_their_distances():
    event = {
        "message_id": "1",
        "event_type": "t",
        "generated": "2026-01-01T00:00:10",
        "traits": [["launched_at", 4, "2026-01-01T00:00:00.5"], ["name", 1, "2026-01-01T00:00:00"]],
        "raw": {},
    }
    (new,) = run_sample.repeat([event], NOW)
    assert new["traits"] == [["launched_at", 4, "2030-01-02T03:03:55.500000"], ["name", 1, "2026-01-01T00:00:00"]]


def test_all_new_events_can_be_stored():
    for events in run_sample.sample_requests():
        for event in run_sample.repeat(events, NOW):
            decoding.decode_event(event)


@pytest.mark.parametrize("port", ["", "http", "0", "-1", "65536", "123456", "٣"])
def test_what_is_no_port_is_one_clear_line(port):
    with pytest.raises(SystemExit, match=f"make run: {port} is not the number of a port"):
        run_sample.check_port(port)
