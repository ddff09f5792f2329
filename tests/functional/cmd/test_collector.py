# SPDX-License-Identifier: Apache-2.0
"""panko-collector stores the events of a real message bus, and acknowledges only those that it stored or refused."""

import contextlib
import subprocess
import sys
import time

import pytest

from panko.storage import EventFilter
from tests.functional.cmd.collecting import SECTION, collecting, wait_until
from tests.functional.cmd.processes import COMMANDS, run, said
from tests.servers import notifier
from tests.servers.processes import children

SECRET = "s3cret"

TRIALS = 3
"""Number of attempts; the fastest is judged, since other processes use the CPU too."""


@pytest.fixture
def collector_file(request, configure, rabbitmq_url):
    """A configuration with a message bus, and a database with a schema: SQLite by default."""
    url = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    path = configure(SECTION.format(url=rabbitmq_url, workers=1), url=url)
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    return path


@pytest.fixture
def connection(collector_file, connection):
    return connection


@pytest.fixture
def config_file(collector_file):
    return collector_file


@pytest.fixture
def left(rabbitmq_server, virtual_host):
    """Return the number of messages in the queue, including unacknowledged ones."""
    return lambda: rabbitmq_server.queues(virtual_host).get(notifier.QUEUE)


def event(message_id, **members):
    return {
        "message_id": message_id,
        "event_type": "t",
        "generated": "2026-01-02T03:04:05.678901",
        "traits": [["vcpus", 2, 2]],
        "raw": {},
        "message_signature": "",
    } | members


def stored(connection):
    return sorted(event.message_id for event in connection.get_events(EventFilter()))


@pytest.mark.parametrize("collector_file", ["sqlite", "opensearch"], indirect=True)
def test_an_event_is_stored_within_two_seconds(collector_file, rabbitmq_url, connection, left, tmp_path):
    notifier.publish(rabbitmq_url, [notifier.message([event("waited")])])
    with collecting(collector_file, tmp_path / "log") as collector:
        wait_until(lambda: stored(connection) == ["waited"], lambda: collector.log)
        seconds = []
        for number in range(TRIALS):
            published = time.monotonic()
            notifier.publish(rabbitmq_url, [notifier.message([event(f"{number}"), event("waited")])])
            wait_until(lambda new=f"{number}": new in stored(connection), lambda: collector.log)
            seconds.append(time.monotonic() - published)
        assert min(seconds) < 2, seconds
        wait_until(lambda: left() == 0)
        collector.wait_for_log(f"{TRIALS + 1} events stored, {TRIALS} duplicates, 0 refused")
        assert stored(connection) == ["0", "1", "2", "waited"]
        assert collector.stop() == 0


def test_bad_events_are_refused_alone_and_leave_the_queue(collector_file, rabbitmq_url, connection, left, tmp_path):
    bad = [event(None), event("no-time", generated="never"), event("no-dtype", traits=[["n", 9, "not for the log"]])]
    bodies = ["no JSON", "[]", "null", notifier.message("not for the log"), notifier.message([event("good-1"), *bad])]
    with collecting(collector_file, tmp_path / "log") as collector:
        notifier.publish(rabbitmq_url, bodies)
        for content_type in ("text/plain", "application/octet-stream", "", "application/x-python-serialize", "a/b"):
            notifier.publish(rabbitmq_url, [b"\xff", b""], content_type)
        notifier.publish(rabbitmq_url, [notifier.message([event("good-2")])], "application/x-unknown")
        wait_until(lambda: stored(connection) == ["good-1", "good-2"], lambda: collector.log)
        wait_until(lambda: left() == 0)
        collector.wait_for_log("2 events stored, 0 duplicates, 17 refused (not JSON: 11, not a notification: 3, ")
        for reason in ("no message_id: 1", "unreadable time: 1", "unknown dtype: 1"):
            assert reason in collector.log
        assert "Event 'no-dtype' was refused: unknown dtype" in collector.log
        assert "not for the log" not in collector.log
        assert "Traceback" not in collector.log


def test_with_a_secret_unsigned_events_are_refused(configure, collector_file, rabbitmq_url, connection, tmp_path):
    with open(collector_file, "a") as file:
        file.write(f"telemetry_secret = {SECRET}\n")
    # Signed by Ceilometer 27.0.0 with this secret.
    signature = "87806b80848686f49bfe9f8e9d49facf23a5da1d403bb7878e2c24ded5ce952f"
    traits = [["service", 1, "compute é"], ["vcpus", 2, 2], ["load", 3, 0.5], ["launched_at", 4, "2026-01-02T03:04:00"]]
    raw = {"k": {"z": 1, "a": [1, 2, {"b": None, "a": True}]}, "a": 1.5e20}
    signed = event("id-1", event_type="a.b", traits=traits, raw=raw, message_signature=signature)
    with collecting(collector_file, tmp_path / "log") as collector:
        notifier.publish(
            rabbitmq_url, [notifier.message([event("unsigned"), signed, {**signed, "message_id": "id-2"}])]
        )
        wait_until(lambda: stored(connection) == ["id-1"], lambda: collector.log)
        collector.wait_for_log("1 events stored, 0 duplicates, 2 refused (bad signature: 2)")
        assert "Event 'unsigned' was refused: bad signature" in collector.log
        assert SECRET not in collector.log


def test_several_collectors_share_the_queue(collector_file, rabbitmq_url, postgresql_url, configure, left, tmp_path):
    path = configure(SECTION.format(url=rabbitmq_url, workers=2) + "batch_size = 20\n", postgresql_url)
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    with contextlib.ExitStack() as stack:
        collectors = [stack.enter_context(collecting(path, tmp_path / f"log-{number}")) for number in range(2)]
        for collector in collectors:
            wait_until(lambda process=collector.process: len(children(process.pid)) == 2)
        notifier.publish(rabbitmq_url, [notifier.message([event(str(number))]) for number in range(2000)])
        wait_until(lambda: left() == 0, lambda: collectors[0].log)
        assert [collector.stop() for collector in collectors] == [0, 0]
        counts = [_last_count(line) for collector in collectors for line in _last_lines(collector.log)]
    assert sum(counts) == 2000


def _last_lines(log):
    """Return the last line of counts of each worker."""
    return {line.split("worker ")[1][0]: line for line in log.splitlines() if "Since worker" in line}.values()


def _last_count(line):
    return int(line.split("began: ")[1].split()[0])


def test_a_collector_continues_when_the_message_bus_is_back(private_rabbitmq, configure, sqlite_url, tmp_path):
    url = private_rabbitmq.url()
    path = configure(SECTION.format(url=url, workers=1))
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    with collecting(path, tmp_path / "log") as collector:
        notifier.publish(url, [notifier.message([event("1")])])
        collector.wait_for_log("1 events stored")
        private_rabbitmq.kill()
        private_rabbitmq.start()
        notifier.publish(url, [notifier.message([event("2")])])
        collector.wait_for_log("2 events stored")
        assert private_rabbitmq.password not in collector.log
        private_rabbitmq.kill()
        assert collector.stop() == 0


@pytest.mark.parametrize(
    ("option", "arguments"), [("amqp_durable_queues", {}), ("rabbit_quorum_queue", {"x-queue-type": "quorum"})]
)
def test_a_durable_queue_is_read(private_rabbitmq, configure, sqlite_url, tmp_path, option, arguments):
    url = private_rabbitmq.url()
    path = configure(SECTION.format(url=url, workers=1) + f"[oslo_messaging_rabbit]\n{option} = true\n")
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    notifier.publish(url, [notifier.message([event(f"before-{number}")]) for number in range(10)], durable=arguments)
    private_rabbitmq.stop()
    private_rabbitmq.start()
    with collecting(path, tmp_path / "log") as collector:
        collector.wait_for_log("10 events stored")
        notifier.publish(url, [notifier.message([event("after")])], durable=arguments)
        collector.wait_for_log("11 events stored, 0 duplicates, 0 refused")
        assert collector.stop() == 0


def test_with_tls_it_reads_from_a_broker_that_it_trusts(
    rabbitmq_server, rabbitmq_url, rabbitmq_tls_url, configure, tmp_path
):
    notifier.publish(rabbitmq_url, [notifier.message([event("waited")])])
    sections = SECTION.format(url=rabbitmq_tls_url, workers=1) + "[oslo_messaging_rabbit]\nssl = true\n"
    sections += "ssl_enforce_hostname_verification = true\n"
    path = configure(sections)
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    with collecting(path, tmp_path / "log") as collector:
        collector.wait_for_log("certificate verify failed")
        assert rabbitmq_server.password not in collector.log
        assert collector.stop() == 0
    path = configure(sections + f"ssl_ca_file = {rabbitmq_server.authority}\n")
    with collecting(path, tmp_path / "log") as collector:
        collector.wait_for_log("1 events stored")
        assert collector.stop() == 0


def test_collector_waits_for_a_missing_message_bus_and_can_be_stopped(configure, tmp_path):
    path = configure(SECTION.format(url="rabbit://u:hidden@127.0.0.1:1/", workers=1))
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    with collecting(path, tmp_path / "log") as collector:
        collector.wait_for_log("Connection refused")
        assert collector.stop() == 0
        assert "hidden" not in collector.log


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ("", " has no schema yet. Run panko-dbsync."),
        ("[collector]\ntransport_url = nothing://u:hidden@h", "invalid transport_url: its driver"),
        ("[collector]\ntransport_url = rabbit//u:hidden@h:x", "invalid transport_url: it is not a valid URL"),
    ],
)
def test_an_error_at_the_start_is_one_line(configure, sections, message):
    done = run("panko-collector", "--config-file", configure(sections))
    assert done.returncode == 1
    (line,) = [line for line in said(done) if not line.startswith("20")]
    assert message in line
    assert "hidden" not in line


@pytest.mark.parametrize("library", ["cotyledon", "kombu", "oslo_messaging", "oslo_service"])
def test_without_a_library_of_the_extra_it_says_what_to_install(library):
    code = f"import sys; sys.modules['{library}'] = None; from panko.cmd.collector import main; sys.exit(main(['c']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("install panko[collector]>=11")


def test_eventlet_is_never_loaded():
    """Even if eventlet is installed, which oslo.service requires, it is not loaded."""
    code = (
        "import sys; from panko.cmd import collector; collector._import_listener(); "
        "import oslo_messaging._drivers.impl_rabbit; sys.exit(any(m and n.startswith('eventlet') "
        "for n, m in sys.modules.items()))"
    )
    assert subprocess.run([COMMANDS / "python", "-c", code], check=False).returncode == 0
