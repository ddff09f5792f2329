# SPDX-License-Identifier: Apache-2.0
"""No event of the message bus is lost or stored twice while processes are killed."""

import contextlib

from benchmarks import dataset
from tests.functional.cmd.collecting import SECTION, collecting, wait_until
from tests.functional.cmd.processes import run
from tests.servers import notifier

EVENTS = 20_000
FAULTS = ("kill", "restart", "kill", "restart", "kill")
STEP = 2500
"""Number of events stored between two faults; many remain at the last fault."""


def test_all_are_stored_once_while_collector_and_database_die(
    private_postgresql, rabbitmq_server, virtual_host, rabbitmq_url, configure, tmp_path
):
    database = private_postgresql.create_database("panko")
    path = configure(SECTION.format(url=rabbitmq_url, workers=2) + "batch_size = 200\n", database)
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    events = list(dataset.events(EVENTS))
    notifier.publish(rabbitmq_url, (notifier.message([notifier.serialised(event)]) for event in events))

    def stored() -> int:
        return int(private_postgresql.execute("SELECT count(*) FROM event", "panko"))

    log_file = tmp_path / "log"
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(collecting(path, log_file))
        for number, fault in enumerate(FAULTS, start=1):
            wait_until(lambda number=number: stored() >= number * STEP, lambda: log_file.read_text()[-3000:])
            assert stored() < EVENTS
            if fault == "restart":
                private_postgresql.restart()
            else:
                collector.kill()
                collector = stack.enter_context(collecting(path, log_file))
        wait_until(lambda: stored() == EVENTS, lambda: f"{stored()} stored:\n{log_file.read_text()[-3000:]}")
        wait_until(lambda: rabbitmq_server.queues(virtual_host) == {notifier.QUEUE: 0})
        assert collector.stop() == 0
    assert stored() == EVENTS
    ids = private_postgresql.execute("SELECT message_id FROM event", "panko").split()
    assert sorted(ids) == sorted(event.message_id for event in events)
    assert "Trying again" in log_file.read_text()
