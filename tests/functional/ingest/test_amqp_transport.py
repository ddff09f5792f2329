# SPDX-License-Identifier: Apache-2.0
"""Prefetched messages of a real broker arrive complete and in order; only requested ones are acknowledged."""

import array
import contextlib
import fcntl
import json
import socket
import termios
import time
from concurrent.futures import ThreadPoolExecutor

import kombu
import pytest

from panko.ingest import amqp_transport
from tests.servers import notifier

SIZES = [
    0,
    1,
    7,
    8,
    100,
    *range(amqp_transport.MIN_READ_BYTES - 600, amqp_transport.MIN_READ_BYTES + 600, 100),
    131_065,
    131_072,
    500_000,
]

TIMEOUT = 30
"""Seconds until a test fails because a message is missing."""

MESSAGE = 100
"""Minimum bytes of a message with its frames."""


@contextlib.contextmanager
def consuming(url, tls=False):
    """Yield a connection, and the list of messages that it has read.

    :param tls: False, or the TLS options of the connection
    """
    messages = []
    transport = f"{amqp_transport.__name__}:{amqp_transport.Transport.__name__}"
    with kombu.Connection(url.replace("rabbit:", "amqp:", 1), transport=transport, ssl=tls) as connection:
        channel = connection.channel()
        queue = kombu.Queue(notifier.QUEUE, durable=False, channel=channel)
        # As oslo.messaging does, which converts the messages of the channel.
        queue.consume(notifier.QUEUE, callback=lambda raw: messages.append(channel.message_to_python(raw)))
        yield connection, messages


def drain(connection, messages, count, timeout=TIMEOUT):
    while len(messages) < count:
        connection.drain_events(timeout=timeout)


@pytest.fixture
def bodies(rabbitmq_url):
    """The bodies of five messages in the queue."""
    bodies = [str(number) for number in range(5)]
    notifier.publish(rabbitmq_url, bodies)
    return bodies


@pytest.fixture
def left(rabbitmq_url):
    """Return the messages of the queue in order; wait until it has at least that many."""

    def look(count):
        with consuming(rabbitmq_url) as (connection, messages):
            drain(connection, messages, count)
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=0.2)
        return [message.body for message in messages]

    return look


@pytest.mark.parametrize("tls", [False, True])
def test_messages_of_any_size_arrive_complete_and_in_order(rabbitmq_server, rabbitmq_url, rabbitmq_tls_url, tls):
    bodies = [f'"{index:x>{size}}"' for index, size in enumerate(SIZES * 5)]
    notifier.publish(rabbitmq_url, bodies)
    url = rabbitmq_tls_url if tls else rabbitmq_url
    with consuming(url, tls and {"ca_certs": rabbitmq_server.authority}) as (connection, messages):
        drain(connection, messages, len(bodies))
        assert [message.decode() for message in messages] == [json.loads(body) for body in bodies]


def test_without_messages_it_is_a_timeout(rabbitmq_url, bodies):
    with consuming(rabbitmq_url) as (connection, messages):
        drain(connection, messages, len(bodies))
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.05)


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ([0, 1, 2, 3, 4], []),
        ([4, 2, 0, 1, 3], []),
        ([0, 1, 3], ["2", "4"]),
        ([1, 2], ["0", "3", "4"]),
        ([4], ["0", "1", "2", "3"]),
        ([], ["0", "1", "2", "3", "4"]),
    ],
)
@pytest.mark.parametrize("by", ["reading", "closing"])
def test_only_acknowledged_messages_are_gone(rabbitmq_url, bodies, left, done, expected, by):
    with consuming(rabbitmq_url) as (connection, messages):
        drain(connection, messages, len(bodies))
        for index in done:
            messages[index].ack()
        if by == "reading":
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=0.05)
            # A connection closed by force sends nothing more.
            connection.collect()
        else:
            connection.default_channel.close()
            messages[0].channel.close()
    assert left(len(expected)) == expected


def test_acknowledgements_continue_from_one_read_to_the_next(rabbitmq_url, bodies, left):
    with consuming(rabbitmq_url) as (connection, messages):
        drain(connection, messages, len(bodies))
        for done in ([3], [0, 1], [2]):
            for index in done:
                messages[index].ack()
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=0.05)
        connection.collect()
    assert left(1) == ["4"]


def test_a_requeued_message_comes_again_beside_acknowledged_ones(rabbitmq_url, bodies, left):
    with consuming(rabbitmq_url) as (connection, messages):
        drain(connection, messages, len(bodies))
        messages[1].requeue()
        for index in (0, 2, 3, 4):
            messages[index].ack()
        drain(connection, messages, len(bodies) + 1)
        assert messages[-1].body == "1"
        messages[-1].ack()
        messages[0].channel.close()
    assert left(0) == []


def wait_until_received(connection, size):
    """Wait until that many bytes have arrived, without reading them."""
    transport, waiting = connection.connection.transport, array.array("i", [0])
    deadline = time.monotonic() + TIMEOUT
    while len(transport._read_buffer) + waiting[0] < size:
        assert time.monotonic() < deadline, f"{waiting[0]} of {size} bytes have come"
        time.sleep(0.01)
        fcntl.ioctl(transport.sock, termios.FIONREAD, waiting)


def test_one_read_handles_no_more_than_the_maximum(rabbitmq_url):
    """oslo.messaging sends heartbeats between two reads: an unlimited read would delay them in a busy cloud."""
    count = 3 * amqp_transport.MAX_MESSAGES_PER_READ
    notifier.publish(rabbitmq_url, ['"x"'] * count)
    with consuming(rabbitmq_url) as (connection, messages):
        wait_until_received(connection, count * MESSAGE)
        sizes = []
        while sum(sizes) < count:
            before = len(messages)
            connection.drain_events(timeout=TIMEOUT)
            sizes.append(len(messages) - before)
    assert sizes[:2] == [amqp_transport.MAX_MESSAGES_PER_READ] * 2


def test_a_read_does_not_wait_for_more_messages(rabbitmq_url, bodies):
    """The timeout applies to the first message: the reading thread also sends acknowledgements and heartbeats."""
    with consuming(rabbitmq_url) as (connection, messages), ThreadPoolExecutor(1) as pool:
        reading = pool.submit(drain, connection, messages, len(bodies), timeout=60 * TIMEOUT)
        try:
            reading.result(TIMEOUT)
        finally:
            # A waiting read would prevent the test from ending.
            connection.connection.transport.sock.shutdown(socket.SHUT_RDWR)
    assert [message.body for message in messages] == bodies
