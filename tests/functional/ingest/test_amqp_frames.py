# SPDX-License-Identifier: Apache-2.0
"""Frames are read from the buffer as from the connection, and acknowledgements are as few frames as possible."""

import queue
import ssl
from concurrent.futures import ThreadPoolExecutor

import amqp
import pytest
import trustme

from panko.ingest import amqp_transport
from tests.functional.ingest.amqp_peer import TIMEOUT, running_peer
from tests.functional.ingest.test_amqp_transport import SIZES, consuming, drain, wait_until_received

MORE_THAN_A_READ = amqp_transport.MAX_MESSAGES_PER_READ * 5 // 2


@pytest.fixture
def peer():
    with running_peer() as peer:
        yield peer


def bodies_of(messages):
    return [bytes(message.body) for message in messages]


def read_what_has_arrived(connection):
    """Also send the acknowledgements."""
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.01)


def receive(connection, messages, consumer, count):
    consumer.send(consumer.frames(*(b"%d" % number for number in range(count))))
    drain(connection, messages, count)


@pytest.mark.parametrize("tls", [False, True])
def test_messages_of_any_size_arrive_complete_and_in_order(tls, tmp_path):
    sent = [b"%d" % index + b"x" * size for index, size in enumerate(SIZES * 2)]
    context = options = None
    if tls:
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        options = {"ca_certs": str(tmp_path / "ca.pem")}
    with running_peer(context) as peer, consuming(peer.url, options) as (connection, messages):
        assert isinstance(connection.connection.transport, amqp_transport.SSLTransport) is tls
        consumer = peer.consumer()
        with ThreadPoolExecutor(1) as pool:
            # More than the buffers of the sockets hold.
            sending = pool.submit(consumer.send, consumer.frames(*sent))
            drain(connection, messages, len(sent))
            sending.result(TIMEOUT)
        assert bodies_of(messages) == sent


@pytest.mark.parametrize("kept", [1, 6, 7, 8, 100, 200])
def test_a_part_of_a_frame_stays_in_the_buffer_until_the_rest_arrives(peer, kept):
    with consuming(peer.url) as (connection, messages):
        consumer = peer.consumer()
        first, second = consumer.frames(b"1"), consumer.frames(b"x" * 300)
        consumer.send(first + second[:-kept])
        drain(connection, messages, 1)
        read_what_has_arrived(connection)
        assert bodies_of(messages) == [b"1"]
        consumer.send(second[-kept:])
        drain(connection, messages, 2)
        assert bodies_of(messages) == [b"1", b"x" * 300]


def test_one_read_handles_no_more_than_the_maximum(peer):
    with consuming(peer.url) as (connection, messages):
        consumer = peer.consumer()
        data = consumer.frames(*[b"x"] * MORE_THAN_A_READ)
        consumer.send(data)
        wait_until_received(connection, len(data))
        counts = []
        while len(messages) < MORE_THAN_A_READ:
            connection.drain_events()
            counts.append(len(messages))
        maximum = amqp_transport.MAX_MESSAGES_PER_READ
        assert counts == [maximum, 2 * maximum, MORE_THAN_A_READ]


def test_data_that_is_no_frame_is_an_error_after_the_messages_before_it(peer):
    with consuming(peer.url) as (connection, messages):
        consumer = peer.consumer()
        good, bad = consumer.frames(b"good"), consumer.frames(b"")
        consumer.send(good + bad[:-1] + b"\x00")
        with pytest.raises(amqp.UnexpectedFrame):
            drain(connection, messages, 2)
        assert bodies_of(messages) == [b"good"]


def test_every_message_is_labelled_as_json_and_has_a_body(peer):
    with consuming(peer.url) as (connection, messages):
        consumer = peer.consumer()
        consumer.send(consumer.frames(b"", b"[1]"))
        drain(connection, messages, 2)
        assert [message.content_type for message in messages] == ["application/json"] * 2
        assert [message.body for message in messages] == [amqp_transport.EMPTY_BODY, b"[1]"]


@pytest.mark.parametrize(
    ("acknowledged", "frames"),
    [
        ([0, 1, 2, 3, 4], [("ack", 5, True)]),
        ([4, 2, 0, 1, 3], [("ack", 5, True)]),
        ([0], [("ack", 1, True)]),
        ([1, 0, 3], [("ack", 2, True), ("ack", 4, False)]),
        ([4, 2], [("ack", 3, False), ("ack", 5, False)]),
        ([], []),
    ],
)
@pytest.mark.parametrize("by", ["reading", "closing"])
def test_acknowledgements_are_sent_with_the_next_read_or_the_end(peer, acknowledged, frames, by):
    with consuming(peer.url) as (connection, messages):
        receive(connection, messages, peer.consumer(), 5)
        for index in acknowledged:
            messages[index].ack()
        with pytest.raises(queue.Empty):
            peer.received.get_nowait()
        if by == "reading":
            read_what_has_arrived(connection)
            assert [peer.next() for _ in frames] == frames
            frames = []
        else:
            messages[0].channel.close()
    assert [peer.next() for _ in [*frames, "close"]] == [*frames, ("close",)]


def test_a_run_of_acknowledgements_begins_with_the_first_message_that_waits(peer):
    with consuming(peer.url) as (connection, messages):
        receive(connection, messages, peer.consumer(), 5)
        for indexes, frames in (
            ([3], [("ack", 4, False)]),
            ([0, 1], [("ack", 2, True)]),
            ([2, 4], [("ack", 5, True)]),
        ):
            for index in indexes:
                messages[index].ack()
            read_what_has_arrived(connection)
            assert [peer.next() for _ in frames] == frames
    assert peer.next() == ("close",)


def test_a_message_is_rejected_at_once_and_acknowledged_no_more(peer):
    with consuming(peer.url) as (connection, messages):
        receive(connection, messages, peer.consumer(), 3)
        messages[1].requeue()
        assert peer.next() == ("reject", 2, True)
        messages[0].channel.basic_ack(2)
        messages[0].ack()
        messages[2].ack()
        read_what_has_arrived(connection)
        assert peer.next() == ("ack", 3, True)
    assert peer.next() == ("close",)
