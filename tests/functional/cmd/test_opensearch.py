# SPDX-License-Identifier: Apache-2.0
"""The commands on OpenSearch: they work, and say in one line what is wrong and what to do."""

import datetime

import pytest
from oslo_utils import timeutils

from panko import service, storage
from panko.storage.filters import EventFilter
from panko.storage.models import Event
from tests.functional.cmd.processes import free_port, run, said
from tests.functional.cmd.test_status import A_DAY, ALL_WELL, EXPIRER, FAILURE, SCHEMA, SUCCESS, TIME_TO_LIVE, check

EVENT = b'{"message_id": "a", "event_type": "t", "generated": "2026-01-02T03:04:05", "traits": []}\n'
ARGUMENTS = {"panko-dbsync": (), "panko-expirer": (), "panko-export": (), "panko-import": ("-",)}
UNREACHABLE = "opensearch://panko:hunter2@127.0.0.1:{port}/panko"


@pytest.fixture
def config_file(configure, opensearch_url):
    """A configuration file with a time to live of a day."""
    return configure(A_DAY, url=opensearch_url)


@pytest.fixture
def connection(config_file):
    conf = service.prepare_service([], config_files=[config_file], share=True)
    connection = storage.get_connection_from_config(conf)
    yield connection
    connection.close()


def command(name, config_file, *arguments):
    return run(name, "--config-file", config_file, *ARGUMENTS[name], *arguments, stdin=EVENT)


def complaint(done, name):
    """Return the only line that a command wrote before it failed."""
    assert done.returncode == 1
    (line,) = said(done)
    assert line.startswith(f"{name}: ")
    return line


def left(connection):
    return [event.message_id for event in connection.get_events(EventFilter())]


def test_the_schema_is_created_once_and_the_checks_succeed_after_an_expiry(config_file, opensearch_url, connection):
    wanted = command("panko-dbsync", config_file, "--check")
    assert (wanted.returncode, said(wanted)) == (2, [])
    assert wanted.stdout.endswith("has no schema yet. Run panko-dbsync.\n")
    assert check(config_file)[0][SCHEMA] == FAILURE
    for found in ("is up to date now", "was up to date"):
        done = command("panko-dbsync", config_file)
        assert (done.returncode, said(done)) == (0, [])
        assert done.stdout == f"The schema {found}: {opensearch_url}\n"
    now = timeutils.utcnow()
    ages = [Event(f"{days}", "t", now - datetime.timedelta(days=days, hours=-1)) for days in (1, 2, 40, 400)]
    connection.record_events(ages)
    done = command("panko-expirer", config_file)
    assert (done.returncode, said(done)) == (0, [])
    assert "3 events older than 86400 s were deleted" in done.stdout
    assert left(connection) == ["1"]
    assert check(config_file)[0] == ALL_WELL | {TIME_TO_LIVE: SUCCESS, EXPIRER: SUCCESS}


@pytest.mark.parametrize("name", ["panko-expirer", "panko-export", "panko-import"])
def test_without_a_schema_a_command_names_the_one_that_creates_it(config_file, name):
    assert complaint(command(name, config_file), name).endswith("has no schema yet. Run panko-dbsync.")


@pytest.mark.parametrize(
    ("name", "url", "reason"),
    [
        *((name, UNREACHABLE, "no node can be reached") for name in ARGUMENTS),
        ("panko-dbsync", "opensearch://panko:hunter2@127.0.0.1/Panko", "the prefix 'Panko' of the indices is not "),
        ("panko-dbsync", "opensearch://panko:hunter2@127.0.0.1:99999/panko", "'127.0.0.1:99999' is not a host or "),
        ("panko-dbsync", "opensearch://panko:hunter2@127.0.0.1/panko?tls=1", "its options are in [opensearch]"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_one_line_without_its_password(configure, name, url, reason):
    done = command(name, configure(A_DAY, url=url.format(port=free_port())))
    assert reason in complaint(done, name)
    assert "hunter2" not in done.stdout + done.stderr


def test_an_unreachable_cluster_is_a_failure_of_the_check(configure):
    results, details = check(configure(A_DAY, url=UNREACHABLE.format(port=free_port())))
    assert results[SCHEMA] == results[EXPIRER] == FAILURE
    assert details[SCHEMA].startswith("The database does not answer.")
    assert "hunter2" not in str(details)


def test_server_without_tls_is_one_line(configure, opensearch_server):
    done = command("panko-dbsync", configure(url=f"opensearch+https://{opensearch_server.address}/panko"))
    assert "TLS failed" in complaint(done, "panko-dbsync")
