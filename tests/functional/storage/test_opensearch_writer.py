# SPDX-License-Identifier: Apache-2.0
"""Writes to OpenSearch: indices on demand, lost answers, refusals, and what is not unique."""

import contextlib
import http.client
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from oslo_config import cfg

from panko import service
from panko.storage import EventFilter, deadlines, get_connection
from panko.storage.base import Connection, Recorded
from panko.storage.errors import EventsRefused, SchemaOutdated, StorageFull, StorageReadOnly, StorageUnavailable
from panko.storage.models import Event
from panko.storage.opensearch.writer import MAX_EVENT_BYTES
from tests.functional.storage.builders import NOON, event, found, trait
from tests.functional.storage.contract.far_times import FAR_EVENTS, FAR_TIMES
from tests.servers.opensearch import OpenSearch

Answer = tuple[int, bytes]
MARCH, APRIL = NOON.replace(month=3), NOON.replace(month=4)
JANUARY_INDEX, MARCH_INDEX, OTHER_INDEX = "events-2024-01", "events-2024-03", "events-other"


class Proxy(http.server.ThreadingHTTPServer):
    """A proxy that loses or changes the first answers to bulk requests.

    :param server: what answers
    :param faults: for each of the first bulk requests, what becomes of its answer: called with a function that
        forwards the request. It returns an answer, or None to close the connection without one
    """

    daemon_threads = True

    def __init__(self, server: OpenSearch, faults: list[Callable[[Callable[[], Answer]], Answer | None]]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.backend = server.port
        self.faults = faults


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *args: Any) -> None:
        """Log nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def forward() -> Answer:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.server.backend, timeout=60)) as node:
                node.request(self.command, self.path, body, {"Content-Type": "application/json"})
                response = node.getresponse()
                return response.status, response.read()

        fault = self.server.faults.pop(0) if "_bulk" in self.path and self.server.faults else None
        answer = fault(forward) if fault else forward()
        self.close_connection = answer is None
        if answer is not None:
            self.send_response(answer[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

    do_GET = do_PUT = do_POST = do_DELETE = _handle


def lose(forward: Callable[[], Answer]) -> None:
    """Store the events, and lose the answer."""
    forward()


def repeat(forward: Callable[[], Answer]) -> Answer:
    """Answer as OpenSearch does if it has repeated a request itself: nothing was lost, but all exist already."""
    forward()
    return forward()


def break_off(forward: Callable[[], Answer]) -> None:
    """Store nothing."""


def refuse_second(status: int, type_: str) -> Callable[[Callable[[], Answer]], Answer]:
    """Return a fault: the events are stored, but the answer has an error for the second one."""

    def fault(forward: Callable[[], Answer]) -> Answer:
        response = json.loads(forward()[1])
        response["items"][1]["create"] = {"status": status, "error": {"type": type_, "reason": "a reason"}}
        return 200, json.dumps(response).encode()

    return fault


def too_large(forward: Callable[[], Answer]) -> Answer:
    """Answer as a server that accepts less."""
    return 413, b"<html>Request Entity Too Large</html>"


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    """A configuration of this test, without files."""
    return service.prepare_service([], config_files=[], share=True)


@pytest.fixture
def storage(opensearch_url: str, conf: cfg.ConfigOpts) -> Iterator[Connection]:
    """A connection to an empty prefix, with a schema."""
    with contextlib.closing(get_connection(opensearch_url, conf)) as connection:
        connection.upgrade()
        yield connection


@pytest.fixture
def request_of(opensearch_server: OpenSearch, opensearch_url: str) -> Callable[..., Any]:
    """A function that sends a request about an index of the prefix."""
    prefix = opensearch_url.rpartition("/")[2]
    return lambda method, name, *body: opensearch_server.request(method, f"/{prefix}-{name}", *body)


@pytest.fixture
def faulty(
    opensearch_server: OpenSearch, opensearch_url: str, conf: cfg.ConfigOpts, storage: Connection
) -> Iterator[Callable[..., Connection]]:
    """A function that returns a connection through a proxy with faults."""
    with contextlib.ExitStack() as stack:

        def connect(*faults: Callable[[Callable[[], Answer]], Answer | None]) -> Connection:
            proxy = stack.enter_context(Proxy(opensearch_server, list(faults)))
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            stack.callback(proxy.shutdown)
            url = opensearch_url.replace(opensearch_server.address, f"127.0.0.1:{proxy.server_port}")
            return stack.enter_context(contextlib.closing(get_connection(url, conf)))

        yield connect


def months(*names: str) -> list[Event]:
    """Return events, each of another month."""
    return [
        event(name, generated=NOON.replace(year=2020 + number // 12, month=number % 12 + 1))
        for number, name in enumerate(names)
    ]


def test_each_period_has_an_index_that_is_created_on_demand(storage: Connection, request_of: Callable) -> None:
    events = [event("a"), event("b", generated=MARCH), *FAR_EVENTS]
    assert storage.record_events(events).stored == len(events)
    indices = {name.partition("-")[2]: each["mappings"] for name, each in request_of("GET", "events-*").items()}
    # Years without clouds, and the future, share one.
    assert set(indices) == {JANUARY_INDEX, MARCH_INDEX, "events-2024-02", OTHER_INDEX}
    assert {mapping["dynamic"] for mapping in indices.values()} == {"strict"}
    assert sorted(e.generated for e in storage.get_events(EventFilter())) == sorted(
        [NOON, MARCH, *FAR_TIMES, *FAR_TIMES]
    )


@pytest.mark.parametrize(
    ("period", "name"), [("day", "2024-01-15"), ("week", "2024-w03"), ("month", "2024-01"), ("year", "2024")]
)
def test_period_is_configured(
    storage: Connection, opensearch_url: str, conf: cfg.ConfigOpts, request_of: Callable, period: str, name: str
) -> None:
    """After a change, events that are stored already are duplicates wherever they are."""
    assert storage.record_events([event("a")]).stored == 1
    conf.set_override("period", period, group="opensearch")
    with contextlib.closing(get_connection(opensearch_url, conf)) as changed:
        assert changed.record_events([event("a"), event("b")]) == Recorded(stored=1, duplicates=1)
    assert {each.partition("-")[2] for each in request_of("GET", "events-*")} == {JANUARY_INDEX, f"events-{name}"}


def test_index_that_was_dropped_is_created_again(storage: Connection, request_of: Callable) -> None:
    """Also if a process remembers it, and if a snapshot was restored without its alias."""
    assert storage.record_events(months("a", "b")).stored == 2
    request_of("DELETE", "events-2020-01")
    assert storage.record_events(months("a", "b", "c")) == Recorded(stored=2, duplicates=1)
    request_of("DELETE", "events-2020-02/_alias/*")
    assert storage.record_events(months("x", "y")).stored == 2
    assert sorted(found(storage)) == ["a", "b", "c", "x", "y"]


def test_writers_go_on_while_events_are_cleared(storage: Connection, opensearch_url: str, conf: cfg.ConfigOpts) -> None:
    """Each call stores all its events, whatever is dropped meanwhile; those after the last clear are there."""
    failures: list[BaseException] = []
    stored, stop = threading.Semaphore(0), threading.Event()

    def write(worker: int) -> None:
        try:
            number = 0
            while not stop.is_set():
                number += 1
                batch = months(f"{worker}-{number}-a", f"{worker}-{number}-b")
                assert storage.record_events(batch).stored == 2
                stored.release()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(2)]
    with contextlib.closing(get_connection(opensearch_url, conf)) as other:
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                other.clear()
                assert stored.acquire(timeout=120)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert not failures
    storage.clear()
    assert found(storage) == []
    assert storage.record_events(months("a", "b")).stored == 2
    assert len(found(storage)) == 2


@pytest.mark.parametrize("faults", [[lose], [repeat], [break_off], [lose, lose], [break_off, lose], [lose, break_off]])
def test_events_whose_answer_was_lost_are_counted_once(
    storage: Connection, faulty: Callable[..., Connection], faults: list
) -> None:
    """As stored, by the call that stored them; others are duplicates."""
    storage.record_events([event("old")])
    storage.record_events([event("moved", generated=MARCH)])
    batch = [event("old"), event("moved"), event("a"), event("b", generated=MARCH), event("a")]
    assert faulty(*faults).record_events(batch) == Recorded(stored=2, duplicates=3)
    assert sorted(found(storage)) == ["a", "b", "moved", "old"]


@pytest.mark.parametrize(
    ("status", "type_"),
    [(429, "rejected_execution_exception"), (503, "unavailable_shards_exception")],
)
def test_items_that_failed_are_repeated(
    storage: Connection, faulty: Callable[..., Connection], status: int, type_: str
) -> None:
    """Though they were stored; then they are not duplicates."""
    storage.record_events([event("old")])
    batch = [event("a"), event("b"), event("c")]
    assert faulty(refuse_second(status, type_)).record_events(batch) == Recorded(stored=3)
    assert sorted(found(storage)) == ["a", "b", "c", "old"]


def test_items_that_fail_for_too_long_are_an_error(faulty: Callable[..., Connection]) -> None:
    connection = faulty(*[refuse_second(429, "rejected_execution_exception")] * 1000)
    with deadlines.within(1), pytest.raises(StorageUnavailable):
        connection.record_events([event("a"), event("b")])


def test_request_that_is_too_large_is_divided(storage: Connection, faulty: Callable[..., Connection]) -> None:
    """Down to the event that a proxy before the nodes does not accept."""
    batch = [event(name) for name in "abcd"]
    with pytest.raises(EventsRefused) as raised:
        faulty(too_large, too_large, too_large).record_events(batch)
    assert [(each.event, each.reason) for each in raised.value.refusals] == [(batch[0], "the database refused it")]
    assert (raised.value.stored, raised.value.duplicates) == (3, 0)
    assert sorted(found(storage)) == ["b", "c", "d"]


def test_document_that_opensearch_does_not_accept_is_refused(
    storage: Connection, faulty: Callable[..., Connection]
) -> None:
    batch = [event("a"), event("b")]
    with pytest.raises(EventsRefused) as raised:
        faulty(refuse_second(400, "mapper_parsing_exception")).record_events(batch)
    assert [(each.event, each.reason) for each in raised.value.refusals] == [(batch[1], "the database refused it")]


def test_event_that_is_too_large_is_refused_with_its_size(storage: Connection) -> None:
    """Those that are just small enough are stored, in several requests."""
    large = [event(name, trait("text", "x" * (MAX_EVENT_BYTES // 3))) for name in "abc"]
    huge = event("d", raw={"text": "x" * MAX_EVENT_BYTES})
    with pytest.raises(EventsRefused) as raised:
        storage.record_events([*large, huge])
    (refusal,) = raised.value.refusals
    assert str(MAX_EVENT_BYTES) in refusal.reason
    assert raised.value.stored == 3


def test_nearly_full_disk_is_an_error_at_once(storage: Connection, request_of: Callable) -> None:
    storage.record_events([event("a")])
    request_of("PUT", f"{JANUARY_INDEX}/_settings", {"index.blocks.read_only_allow_delete": True})
    with pytest.raises(StorageFull):
        storage.record_events([event("b"), event("c", generated=MARCH)])
    request_of("PUT", f"{JANUARY_INDEX}/_settings", {"index.blocks.read_only_allow_delete": None})
    assert storage.record_events([event("b"), event("c", generated=MARCH)]).stored == 2


def test_block_of_an_index_is_an_error_that_names_it(storage: Connection, request_of: Callable) -> None:
    storage.record_events([event("a")])
    request_of("PUT", f"{JANUARY_INDEX}/_settings", {"index.blocks.write": True})
    with pytest.raises(StorageReadOnly) as raised:
        storage.record_events([event("b")])
    assert JANUARY_INDEX in raised.value.detail


def test_copies_that_are_missing_are_an_error_in_time(
    opensearch_url: str, storage: Connection, conf: cfg.ConfigOpts
) -> None:
    """Not after the minute that OpenSearch would wait."""
    conf.set_override("replicas", 1, group="opensearch")
    conf.set_override("wait_for_active_shards", 2, group="opensearch")
    with contextlib.closing(get_connection(opensearch_url, conf)) as connection:
        with deadlines.within(2), pytest.raises(StorageUnavailable):
            connection.record_events([event("a")])
        assert found(storage) == []


def test_index_of_an_earlier_version_refuses_no_event(storage: Connection, request_of: Callable) -> None:
    """An operator upgrades the schema, and the events can be stored; otherwise a collector would lose them."""
    request_of(
        "PUT",
        JANUARY_INDEX,
        {
            "mappings": {
                "dynamic": "strict",
                "_meta": {"panko": 0},
                "_source": {"enabled": False},
                "properties": {"generated": {"type": "long"}},
            },
        },
    )
    with pytest.raises(SchemaOutdated, match="Run panko-dbsync"):
        storage.record_events([event("a")])
    with pytest.raises(SchemaOutdated, match=r"has the schema 0, not 1\. Run panko-dbsync"):
        storage.check_schema()
    storage.upgrade()
    storage.check_schema()
    assert storage.record_events([event("a", trait("x", 1))]).stored == 1
    assert found(storage) == ["a"]


def test_events_far_apart_with_one_id_may_both_be_stored(
    opensearch_url: str, storage: Connection, conf: cfg.ConfigOpts, request_of: Callable
) -> None:
    """The capability storage:unique_across_periods: an event of another period is found only after a refresh."""
    assert not storage.get_storage_capabilities()["storage:unique_across_periods"]
    storage.record_events([event("old")])
    request_of("PUT", f"{JANUARY_INDEX}/_settings", {"index.refresh_interval": -1})
    conf.set_override("refresh", False, group="opensearch")
    with contextlib.closing(get_connection(opensearch_url, conf)) as connection:
        for time, recorded in ((NOON, Recorded(1)), (MARCH, Recorded(1)), (NOON, Recorded(0, 1))):
            assert connection.record_events([event("a", generated=time)]) == recorded
        request_of("POST", "events-*/_refresh")
        assert connection.record_events([event("a", generated=APRIL)]) == Recorded(0, 1)
