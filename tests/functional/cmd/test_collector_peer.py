# SPDX-License-Identifier: Apache-2.0
"""panko-collector with a peer in place of RabbitMQ, so that these tests are quick and need no server."""

from tests.functional.cmd.collecting import SECTION, collecting
from tests.functional.cmd.test_collector import event, stored
from tests.functional.ingest.amqp_peer import running_peer
from tests.servers import notifier


def test_events_are_acknowledged_once_they_are_stored(configure, config_file, connection, tmp_path):
    """A bad event is refused alone; its message leaves the queue, too."""
    with running_peer() as peer:
        path = configure(SECTION.format(url=peer.url, workers=1))
        with collecting(path, tmp_path / "log") as collector:
            consumer = peer.consumer()
            bodies = notifier.message([event("1"), event("bad", generated="never")]), "no JSON", notifier.message([])
            consumer.send(consumer.frames(*(body.encode() for body in bodies)))
            acknowledged = 0
            while acknowledged < len(bodies):
                kind, acknowledged, _ = peer.next()
                assert kind == "ack"
            assert stored(connection) == ["1"]
            consumer.send(consumer.frames(notifier.message([event("1"), event("2")]).encode()))
            assert peer.next() == ("ack", len(bodies) + 1, True)
            assert stored(connection) == ["1", "2"]
            assert collector.stop() == 0
        assert "2 events stored, 1 duplicates, 2 refused" in collector.log.splitlines()[-1]
