# SPDX-License-Identifier: Apache-2.0
"""Notifications of a service become events in the API through each publisher of Ceilometer 27."""

import contextlib
import json
import signal
import subprocess
import time

import pytest

from tests.functional.cmd.processes import COMMANDS, TIMEOUT, environment, run
from tests.functional.e2e.agent import instance, running_agent
from tests.functional.e2e.conftest import running_panko

ACKNOWLEDGE_WHAT_IS_STORED = "[notification]\nack_on_event_error = False\n"


@pytest.fixture
def running(keystone, tmp_path):
    """Return a context manager that runs a panko-api on an empty database."""

    def make(url=None):
        return running_panko(keystone, tmp_path, write=lambda keystone, path: path.write_text(""), url=url)

    return make


@pytest.fixture
def agent(ceilometer, rabbitmq_server, rabbitmq_url, tmp_path):
    """Return a context manager that runs an agent."""

    def make(publisher=None, options=""):
        return running_agent(ceilometer, rabbitmq_server, rabbitmq_url, tmp_path, publisher, options)

    return make


@contextlib.contextmanager
def collector(*config_files):
    """Run panko-collector, and stop it after the block."""
    options = [f"--config-file={path}" for path in config_files]
    with subprocess.Popen([COMMANDS / "panko-collector", *options], env=environment()) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT)


def wait_for(panko, token, instance_id):
    """Wait until the API has the event of an instance, and return it."""
    deadline = time.monotonic() + 60
    path = f"/v2/events?q.field=all_tenants&q.value=True&q.field=instance_id&q.value={instance_id}"
    while time.monotonic() < deadline:
        answer = panko.get(path, token)
        # The database may be unreachable.
        assert answer.status in (200, 503), answer.body
        if answer.status == 200 and (found := json.loads(answer.body)):
            (event,) = found
            return event
        time.sleep(0.02)
    raise AssertionError("the event did not arrive")


def assert_events_arrive(panko, running_agent):
    """Send notifications as Nova does; an administrator of the project sees the events."""
    token = panko.keystone.token("boss", project="demo")
    payload = instance(panko.keystone.project_id("demo"))
    running_agent.notify("compute.instance.create.end", payload)
    event = wait_for(panko, token, payload["instance_id"])
    assert event["event_type"] == "compute.instance.create.end"
    traits = {trait["name"]: (trait["type"], trait["value"]) for trait in event["traits"]}
    expected = {
        "vcpus": ("integer", "1"),
        "memory_mb": ("integer", "2048"),
        "state": ("string", "active"),
        "display_name": ("string", "web-1"),
        "launched_at": ("datetime", "2026-01-02T03:04:05.678901"),
        "service": ("string", "compute"),
        "tenant_id": ("string", payload["tenant_id"]),
    }
    assert {name: traits.get(name) for name in expected} == expected


def test_panko_publisher(running, agent, private_postgresql, tmp_path):
    """Nothing is lost while the database is unreachable, and a refused event is logged once."""
    publisher = f"panko://?config_file={tmp_path / 'panko.conf'}&refused=log"
    url = private_postgresql.create_database("panko")
    with running(url) as panko, agent(publisher, ACKNOWLEDGE_WHAT_IS_STORED) as process:
        process.notify("compute.instance.create.end", instance("p", vcpus=2**70))
        assert_events_arrive(panko, process)
        assert process.log.count("trait vcpus is not a valid integer") == 1
        private_postgresql.kill()
        payloads = [instance("p") for _ in range(20)]
        for payload in payloads:
            process.notify("compute.instance.create.end", payload)
        private_postgresql.start()
        token = panko.keystone.token("boss", project="demo")
        for payload in payloads:
            wait_for(panko, token, payload["instance_id"])


def test_error_that_prevents_loading_is_in_the_log_of_ceilometer(agent, sqlite_url, tmp_path):
    config_file = tmp_path / "panko.conf"
    config_file.write_text(f"[database]\nconnection = {sqlite_url}\n")
    with agent(f"panko://?config_file={config_file}") as process:
        (told,) = [line for line in process.log.splitlines() if "Unable to load publisher panko" in line]
        assert "SchemaMissing: The database " in told
        assert told.endswith(" has no schema yet. Run panko-dbsync.")


def test_message_bus_with_the_default_configuration_of_ceilometer(running, agent, rabbitmq_url, tmp_path):
    options = tmp_path / "collector.conf"
    options.write_text(f"[collector]\ntransport_url = {rabbitmq_url}\n")
    with running() as panko, agent() as process, collector(tmp_path / "panko.conf", options):
        assert_events_arrive(panko, process)


def test_http_publisher_with_an_application_credential(running, agent, keystone):
    identifier, secret = keystone.application_credential("panko", "service")
    with (
        running() as panko,
        agent(f"http://{identifier}:{secret}@127.0.0.1:{panko.server.port}/v2/events") as process,
    ):
        assert_events_arrive(panko, process)


def test_file_publisher_and_import(running, agent, tmp_path):
    """The rotated files of Ceilometer's publisher are imported unchanged, and repeatedly without effect."""
    written = tmp_path / "ceilometers"
    with running() as panko:
        with agent(f"file://{written}?json&max_bytes=4000&backup_count=50") as process:
            ids = [instance(panko.keystone.project_id("demo"))["instance_id"] for _ in range(10)]
            for instance_id in ids:
                payload = instance(panko.keystone.project_id("demo"), instance_id=instance_id)
                process.notify("compute.instance.create.end", payload)
            files = wait_for_lines(tmp_path, len(ids))
        assert len(files) > 1
        arguments = ["--config-file", str(tmp_path / "panko.conf"), *map(str, files)]
        done = run("panko-import", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{len(ids)} lines done: {len(ids)} events stored, 0 duplicates, 0 refused\n"
        assert f"0 events stored, {len(ids)} duplicates" in run("panko-import", *arguments).stdout
        token = panko.keystone.token("boss", project="demo")
        for instance_id in ids:
            assert wait_for(panko, token, instance_id)["event_type"] == "compute.instance.create.end"


def wait_for_lines(directory, count):
    """Wait until the files of the publisher have that many lines, and return them."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        files = sorted(directory.glob("ceilometers*"))
        if sum(len(file.read_text().splitlines()) for file in files) >= count:
            return files
        time.sleep(0.1)
    raise AssertionError(f"Ceilometer wrote too little: {files}")


@pytest.mark.parametrize("by_administrator", [False, True])
def test_members_see_their_instances_by_ceilometers_own_definitions(
    running, agent, keystone, rabbitmq_url, tmp_path, by_administrator
):
    """The owner is in the payload: the context may be empty or of another user who acts for the owner."""
    options = tmp_path / "collector.conf"
    options.write_text(f"[collector]\ntransport_url = {rabbitmq_url}\n")
    payload = instance(keystone.project_id("demo"), user_id=keystone.user_id("alice"))
    boss = {"user_id": keystone.user_id("boss"), "project_id": keystone.project_id("other")}
    with running() as panko, agent() as process, collector(tmp_path / "panko.conf", options):
        process.notify("compute.instance.create.end", payload, context=boss if by_administrator else {})
        process.notify("compute.instance.create.end", instance("another", user_id=payload["user_id"]))
        wait_for(panko, keystone.token("boss", project="demo"), payload["instance_id"])
        (event,) = json.loads(panko.get("/v2/events", keystone.token("alice", project="demo")).body)
        traits = {trait["name"]: trait["value"] for trait in event["traits"]}
        assert traits["instance_id"] == payload["instance_id"]
        assert traits["project_id"] == traits["tenant_id"] == payload["tenant_id"]
