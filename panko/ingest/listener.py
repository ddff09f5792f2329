# SPDX-License-Identifier: Apache-2.0
"""The way from the message bus to the collector: all that knows oslo.messaging."""

import json
from typing import Any

import kombu.serialization
import oslo_messaging
from oslo_config import cfg

from panko.ingest import amqp_transport
from panko.ingest.collector import Collector
from panko.ingest.notifications import PRIORITY, read_notification

RABBIT = "oslo_messaging_rabbit"


class Endpoint:
    """What oslo.messaging hands batches to."""

    def __init__(self, collector: Collector):
        self._collector = collector

    def sample(self, messages: list[dict[str, Any]]) -> str:
        """Take a batch; it is acknowledged when this returns HANDLED. The name is the messages' priority."""
        done = self._collector.collect([message["payload"] for message in messages])
        return oslo_messaging.NotificationResult.HANDLED if done else oslo_messaging.NotificationResult.REQUEUE


def make_transport(conf: cfg.ConfigOpts) -> oslo_messaging.Transport:
    """Return the way to the message bus that the configuration names; nothing is connected yet.

    :raises ValueError: where the URL cannot be read, or names a driver that is not there
    """
    # What conf has of its own is what counts in a section of the library, so its options must be known first.
    oslo_messaging.set_transport_defaults(conf.collector.control_exchange)
    try:
        transport = oslo_messaging.get_notification_transport(conf, url=conf.collector.transport_url)
    except (oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure) as error:
        # Neither says the URL, which holds a password.
        raise ValueError(_what_is_wrong(error)) from error
    if RABBIT in conf:
        # Without a bound, the broker would send all that the queue holds. One batch is stored, the next one waits, and
        # the one after that gathers: an acknowledgement may take a tenth of a second to bring more.
        conf.set_default("rabbit_qos_prefetch_count", 3 * conf.collector.batch_size, group=RABBIT)
    return transport


def _what_is_wrong(error: Exception) -> str:
    if isinstance(error, oslo_messaging.DriverLoadFailure):
        return f"it names the driver {error.driver!r}, which cannot be loaded"
    return "it cannot be read"


def make_listener(transport: oslo_messaging.Transport, conf: cfg.ConfigOpts, collector: Collector) -> Any:
    """Return the server that takes batches of messages from the queues of the topics, and hands them over."""
    # What the library knows is the process's own, which reads no other messages.
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
