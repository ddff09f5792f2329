# SPDX-License-Identifier: Apache-2.0
"""panko-import stores the same events from every file that Panko or its neighbours wrote."""

import datetime
import gzip
import io
import json
import subprocess
from pathlib import Path

import pytest
import zstandard
from oslo_utils import timeutils

from panko.ingest.importer import line_events
from panko.ingest.inputs import Input
from panko.storage.validation import checked_event
from tests.functional.api.conftest import fill, load_json, parse_event
from tests.functional.cmd.processes import COMMANDS, TIMEOUT, environment, panko_api_on, run, said, stored_events

# From a Panko 10.0 with the conformance events: GET /v2/events?q.field=all_tenants&q.op=eq&q.value=True&limit=10000
ANSWER_OF_10 = Path(__file__).with_name("panko-10-events.json").read_bytes()
EVENTS = json.loads(ANSWER_OF_10)
ALL = "/v2/events?q.field=all_tenants&q.op=eq&q.value=True&limit=10000"
HEADERS = {"X_User_Id": "admin", "X_Project_Id": "admin", "X_Roles": "admin"}
DTYPES = {"string": 1, "integer": 2, "float": 3, "datetime": 4}


def by_file_publisher(event):
    """Return an event as Ceilometer's publisher file:// writes it."""
    traits = [{"name": each["name"], "dtype": DTYPES[each["type"]], "value": each["value"]} for each in event["traits"]]
    return event | {"generated": event["generated"].replace("T", " "), "traits": traits}


def by_http_publisher(event):
    return event | {"traits": [[each["name"], DTYPES[each["type"]], each["value"]] for each in event["traits"]]}


def envelope(events):
    notification = {"event_type": "event", "publisher_id": "p", "payload": events, "priority": "SAMPLE"}
    return {"oslo.version": "2.0", "oslo.message": json.dumps(notification)}


def lines(values):
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


FORMS = {
    "answer": ANSWER_OF_10,
    "indented answer": json.dumps(EVENTS, indent=4, ensure_ascii=False).encode(),
    "lines of answers": lines([EVENTS[:20], EVENTS[20:], []]),
    "lines": lines(EVENTS),
    "jq": b"\n".join(json.dumps(event, indent=2).encode() for event in EVENTS),
    "file publisher": lines(map(by_file_publisher, EVENTS)),
    "http publisher": lines([by_http_publisher(event)] for event in EVENTS),
    "envelopes": lines(envelope([by_http_publisher(event)]) for event in EVENTS),
    "notifications": lines(json.loads(envelope(EVENTS)["oslo.message"]) for _ in range(1)),
    "queue": json.dumps([{"payload": json.dumps(envelope(EVENTS)), "payload_encoding": "string"}], indent=1).encode(),
    "gzip": gzip.compress(ANSWER_OF_10),
    "zstd": zstandard.compress(lines(EVENTS)),
}


@pytest.fixture(scope="module")
def conformance_events(tmp_path_factory):
    """The conformance events, as they are stored if they are recorded directly."""
    directory = tmp_path_factory.mktemp("direct")
    path = directory / "panko.conf"
    path.write_text(f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\n")
    fill(f"sqlite:///{directory}/panko.sqlite")
    return stored_events(str(path))


@pytest.mark.parametrize("form", FORMS)
def test_each_form_has_the_same_events(form):
    """They are compared before they are stored, which takes no time."""
    events = {event.message_id: event for event in map(checked_event, map(parse_event, load_json("events.json")[::-1]))}
    records = Input("f", io.BytesIO(FORMS[form])).records()
    read = {event.message_id: event for record in records for event in line_events(record)}
    assert read == events


def test_an_answer_is_stored_as_its_events_were(tmp_path, config_file, conformance_events):
    file = tmp_path / "events"
    file.write_bytes(ANSWER_OF_10)
    done = run("panko-import", "--config-file", config_file, str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"1 lines done: {len(EVENTS)} events stored, 0 duplicates, 0 refused\n"
    assert stored_events(config_file) == conformance_events


@pytest.mark.slow
def test_a_compressed_pipe_is_recognized(config_file, conformance_events):
    done = subprocess.run(
        [COMMANDS / "panko-import", "--config-file", config_file, "-"],
        input=FORMS["gzip"],
        capture_output=True,
        timeout=TIMEOUT,
        env=environment(),
        check=True,
    )
    assert done.stdout == f"1 lines done: {len(EVENTS)} events stored, 0 duplicates, 0 refused\n".encode()
    assert stored_events(config_file) == conformance_events


@pytest.mark.slow
def test_the_answer_of_panko_11_has_the_same_events(tmp_path, config_file, conformance_events):
    url = f"sqlite:///{tmp_path}/served.sqlite"
    fill(url)
    served = tmp_path / "served"
    served.mkdir()
    with panko_api_on(url, served) as server:
        answer = server.get(ALL, **HEADERS).body
    assert json.loads(answer) == EVENTS
    file = tmp_path / "events.json"
    file.write_bytes(answer)
    assert run("panko-import", "--config-file", config_file, str(file)).returncode == 0
    assert stored_events(config_file) == conformance_events


def test_recorded_answer_is_of_the_conformance_events(conformance_events):
    ids = {parse_event(form).message_id for form in load_json("events.json")}
    assert {event["message_id"] for event in EVENTS} == ids == {event.message_id for event in conformance_events}


@pytest.mark.parametrize("form", ["indented answer", "gzip"])
def test_times_of_each_form_can_be_shifted(tmp_path, config_file, conformance_events, form):
    file = tmp_path / "events"
    file.write_bytes(FORMS[form])
    done = run("panko-import", "--config-file", config_file, "--shift-to-now", str(file))
    assert done.returncode == 0
    times = [event.generated for event in stored_events(config_file)]
    old_times = [event.generated for event in conformance_events]
    assert [time - times[0] for time in times] == [time - old_times[0] for time in old_times]
    assert abs(timeutils.utcnow() - times[-1]) < datetime.timedelta(minutes=1)


def test_what_is_not_an_event_is_reported_with_its_place(tmp_path, config_file):
    page, mixed = tmp_path / "page.html", tmp_path / "mixed.json"
    page.write_text("<!DOCTYPE html>\n<html>\n<body>Log in</body>\n</html>\n")
    notification = {"event_type": "volume.exists", "publisher_id": "volume.x", "payload": {"size": 2}}
    mixed.write_text(json.dumps([EVENTS[0], {"counter_name": "cpu"}, notification, EVENTS[1]], indent=1))
    done = run("panko-import", "--config-file", config_file, str(page), str(mixed))
    assert done.returncode == 1
    assert done.stdout == "2 events stored, 0 duplicates, 3 refused\n"
    places = [line.split(":")[1].partition(" (")[2] or line.split(":")[0] for line in said(done)]
    assert places == [str(page), "event 2)", "event 3)"]
    assert said(done)[2].endswith("publishes them: volume.exists of volume.x")
