# SPDX-License-Identifier: Apache-2.0
"""The worker processes that listen on the message bus, and the only use of oslo.messaging."""

import json
import threading
from typing import Any

import cotyledon
import kombu.serialization
import oslo_messaging
from cotyledon.types import WorkerId
from oslo_config import cfg
from oslo_log import log

from panko import service
from panko.ingest import amqp_transport
from panko.ingest.collector import Collector
from panko.ingest.decoding import PRIORITY, read_notification
from panko.ingest.stats import Stats
from panko.storage.base import Connection

LOG = log.getLogger(__name__)

RABBIT = "oslo_messaging_rabbit"


class Endpoint:
    """Receives batches of messages from oslo.messaging."""

    def __init__(self, collector: Collector):
        self._collector = collector

    def sample(self, messages: list[dict[str, Any]]) -> str:
        """Handle a batch, which is acknowledged if this returns HANDLED; the name is the messages' priority."""
        handled = self._collector.collect([message["payload"] for message in messages])
        return oslo_messaging.NotificationResult.HANDLED if handled else oslo_messaging.NotificationResult.REQUEUE


def make_transport(conf: cfg.ConfigOpts) -> oslo_messaging.Transport:
    """Return the transport to the message bus that the configuration names; it is not connected yet.

    :raises ValueError: if the URL cannot be parsed, or its driver cannot be loaded
    """
    # This registers the library's options, which the default below needs.
    oslo_messaging.set_transport_defaults(conf.collector.control_exchange)
    try:
        transport = oslo_messaging.get_notification_transport(conf, url=conf.collector.transport_url)
    except oslo_messaging.DriverLoadFailure as error:
        raise ValueError(f"its driver {error.driver!r} cannot be loaded") from error
    except oslo_messaging.InvalidTransportURL as error:
        # The text of the error is left out, as it may contain the password.
        raise ValueError("it is not a valid URL") from error
    if RABBIT in conf:
        # Without a limit, the broker would send the whole queue. Three batches: one is being stored, the next one
        # waits, and a third one arrives meanwhile, as an acknowledgement takes up to 0.1 s to bring more.
        conf.set_default("rabbit_qos_prefetch_count", 3 * conf.collector.batch_size, group=RABBIT)
    return transport


def make_listener(transport: oslo_messaging.Transport, conf: cfg.ConfigOpts, collector: Collector) -> Any:
    """Return the oslo.messaging server that reads batches of messages and passes them to the collector.

    Process-wide: it replaces kombu's transport for RabbitMQ and its deserializer for JSON. The process must read no
    other messages.
    """
    amqp_transport.install()
    kombu.serialization.register(
        "json", json.dumps, read_notification, content_type=amqp_transport.JSON, content_encoding="utf-8"
    )
    topics = [topic.removesuffix(f".{PRIORITY}") for topic in conf.collector.topics]
    return oslo_messaging.get_batch_notification_listener(
        transport,
        [oslo_messaging.Target(topic=topic, exchange=conf.collector.control_exchange) for topic in topics],
        [Endpoint(collector)],
        executor="threading",
        allow_requeue=True,
        batch_size=conf.collector.batch_size,
        batch_timeout=conf.collector.batch_timeout,
    )


class Worker(cotyledon.Service):
    """A process that listens on the message bus and stores events.

    :param connection: storage, not connected yet
    """

    name = "panko-collector"

    def __init__(self, worker_id: WorkerId, conf: cfg.ConfigOpts, connection: Connection):
        super().__init__(worker_id)
        self._conf = conf
        self._connection = connection
        self._stats = Stats()
        self._stopping = threading.Event()
        self._listener: Any = None

    def run(self) -> None:
        """Listen, and log the counts at intervals, until the process is asked to stop."""
        service.tune_gc(service.STORING_GC)
        secret = self._conf.collector.telemetry_secret
        collector = Collector(self._connection, secret, self._stats, self._stopping)
        listener = make_listener(make_transport(self._conf), self._conf, collector)
        # One thread of ours stores a batch while a thread of the library receives the next one.
        listener.start(override_pool_size=1)
        self._listener = listener
        while not self._stopping.wait(self._conf.collector.log_interval):
            self._log_stats()

    def terminate(self) -> None:
        """Finish the current batch; other messages received so far go back to the queue."""
        self._stopping.set()
        # None while there is no connection to the broker yet: then there is nothing to finish.
        if self._listener is not None:
            self._listener.stop()
            self._listener.wait()
        self._log_stats()

    def _log_stats(self) -> None:
        report = self._stats.take_report()
        if report:
            LOG.info("Since worker %d began: %s", self.worker_id, report)


def make_manager(conf: cfg.ConfigOpts, connection: Connection) -> cotyledon.ServiceManager:
    """Return the manager that starts the workers, replaces one that dies, and stops all on SIGTERM."""
    manager = cotyledon.ServiceManager(graceful_shutdown_timeout=conf.collector.graceful_timeout)
    workers = conf.collector.workers or service.default_workers()
    manager.add(Worker, workers=workers, args=(conf, connection))
    return manager
