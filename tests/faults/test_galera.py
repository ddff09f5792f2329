# SPDX-License-Identifier: Apache-2.0
"""Panko on a Galera cluster of three nodes, which detects conflicts between nodes only at the commit.

``PANKO_TEST_GALERA_ROUNDS`` is the number of rounds of concurrent work on all nodes (60).
"""

import contextlib
import itertools
import os
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from panko import service
from panko.cmd.expirer import expire
from panko.storage import get_connection
from tests.faults.galera_rounds import Round
from tests.functional.storage.builders import DAY, ago, count_by_type, event, found, trait
from tests.functional.storage.contract.read_feed import follow, names, now, read
from tests.functional.storage.pauses import REMOVES_NAME, TIMEOUT, paused_at, paused_at_commit
from tests.functional.storage.workers import run_at_once, upgrade_some

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("PANKO_TEST_GALERA_ROUNDS", "60"))


@pytest.fixture
def urls(galera):
    """The URLs of an empty database on the three nodes."""
    name = f"panko_{secrets.token_hex(4)}"
    yield galera.create_database(name)
    galera.nodes[0].drop_database(name)


@pytest.fixture
def storages(urls):
    """A connection to each node, with a schema; each sees what the others have committed."""
    conf = service.prepare_service([], config_files=[], share=True)
    connections = [get_connection(f"{url}?init_command=SET SESSION wsrep_sync_wait=7", conf) for url in urls]
    connections[0].upgrade()
    yield connections
    for connection in connections:
        connection.close()


@pytest.fixture
def writers(urls, storages):
    """A second connection to each node, which does not wait for commits of other nodes."""
    conf = service.prepare_service([], config_files=[], share=True)
    for storage in storages:
        storage.check_schema()  # Wait until the node has the tables.
    connections = [get_connection(url, conf) for url in urls]
    yield connections
    for connection in connections:
        connection.close()


def test_expirers_on_all_nodes_delete_each_event_once(storages):
    """While a writer runs on each node; the counts stay exact."""
    for day in (2, 3, 4):
        storages[0].record_events(
            event(
                f"old {day} {number}", trait(f"x{number % 5}", number), type_=f"t{number % 5}", generated=ago(days=day)
            )
            for number in range(400)
        )
    expired = threading.Event()

    def write(node: int) -> int:
        number = 0
        while not expired.is_set() or number < 10:
            events = [event(f"new {node} {number} {i}", type_=f"t{i}", generated=ago(hours=1)) for i in range(5)]
            storages[node].record_events(events)
            number += 1
        return 5 * number

    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(write, node) for node in range(3)]
        expiring = [pool.submit(expire, storage, DAY, 100) for storage in storages]
        try:
            deleted = [each.result(120) for each in expiring]
        finally:
            expired.set()
        written = sum(each.result(60) for each in writing)
    assert sum(deleted) == 1200
    for storage in storages:
        assert len(found(storage)) == written
        assert count_by_type(storage) == {f"t{number}": written // 5 for number in range(5)}


@pytest.mark.parametrize("is_known", [True, False])
def test_event_type_that_is_written_while_another_node_removes_it_stays(storages, writers, is_known):
    """Whether the writer has cached it, or finds it in the database."""
    storages[0].record_events([event("old", trait("x", 1), type_="t", generated=ago(days=2))])
    if is_known:
        writers[1].record_events([event("known", trait("x", 1), type_="t", generated=ago(days=2))])
    assert found(storages[1], event_type="t")
    with ThreadPoolExecutor(1) as pool, paused_at(storages[0], REMOVES_NAME) as pause:
        expiring = pool.submit(storages[0].clear_expired_data, DAY)
        pause.wait_until_reached()
        new = event("new", trait("x", 1), type_="t", generated=ago(hours=1))
        assert writers[1].record_events([new]).stored == 1
        pause.released.set()
        assert expiring.result(TIMEOUT) == 1 + is_known
    for storage in storages:
        assert found(storage) == found(storage, event_type="t") == ["new"]
        assert list(storage.get_event_types()) == ["t"]
        assert [each.name for each in storage.get_trait_types("t")] == ["x"]
        assert count_by_type(storage) == {"t": 1}
    assert writers[2].record_events([event("new", type_="t")]).duplicates == 1


@pytest.mark.parametrize("removes", ["expirer", "clear"])
def test_event_type_that_another_node_removes_before_the_commit_is_stored_again(storages, writers, removes):
    """The commit of the writer fails with a conflict; its retry stores the names again."""
    for name in ("old", "known"):
        writers[1].record_events([event(name, trait("x", 1), type_="t", generated=ago(days=2))])
    assert len(found(storages[0])) == 2
    with ThreadPoolExecutor(1) as pool, paused_at_commit(writers[1]) as pause:
        new = event("new", trait("x", 1), type_="t", generated=ago(hours=1))
        writing = pool.submit(writers[1].record_events, [new])
        pause.wait_until_reached()
        if removes == "clear":
            storages[0].clear()
        else:
            assert storages[0].clear_expired_data(DAY) == 2
        pause.released.set()
        assert writing.result(TIMEOUT).stored == 1
    for storage in storages:
        assert found(storage) == found(storage, event_type="t") == ["new"]
        assert list(storage.get_event_types()) == ["t"]
        assert count_by_type(storage) == {"t": 1}


def test_concurrent_work_on_all_nodes_loses_and_mixes_up_nothing(storages, writers):
    """In each round, the names of the one before are removed and recorded again."""
    left = 0
    for number in range(ROUNDS):
        left = Round(number, writers, storages).run(left)


def test_one_of_several_dbsyncs_works_and_the_others_wait(urls):
    """On whichever node each of them runs."""
    assert run_at_once(3, upgrade_some, urls) == [None] * 3
    conf = service.prepare_service([], config_files=[], share=True)
    for url in urls:
        connection = get_connection(url, conf)
        connection.check_schema()
        connection.close()


def test_node_that_is_behind_waits_for_the_cursor_of_another(urls, storages, writers):
    """It does not report that the cursor is gone, and a reader that begins now gets no events of before."""
    start = now(writers[1])
    stopped = sa.create_engine(urls[1].replace("mysql://", "mysql+pymysql://"), poolclass=sa.NullPool)
    with ThreadPoolExecutor(2) as pool:
        with stopped.connect() as connection:
            connection.exec_driver_sql("FLUSH TABLES WITH READ LOCK")  # The node applies no changes of others.
            writers[0].record_events([event("a")])
            page = read(writers[0], start)
            assert names(page) == ["a"]
            reading = pool.submit(read, writers[1], page.cursor)
            beginning = pool.submit(now, writers[1])
            time.sleep(1)
            assert not reading.done()
            assert not beginning.done()
            connection.exec_driver_sql("UNLOCK TABLES")
        assert not reading.result(TIMEOUT).is_gone
        assert beginning.result(TIMEOUT) == page.cursor
    stopped.dispose()


def test_pool_with_connections_to_several_nodes_skips_nothing(urls, storages):
    """As behind a proxy that spreads them; one node is behind."""
    spread = get_connection(urls[0], service.prepare_service([], config_files=[], share=True))
    connect, ports = spread._dialect._connect, itertools.cycle([sa.make_url(url).port for url in urls[:2]])
    spread._dialect._connect = lambda *arguments, **parameters: connect(
        *arguments, **parameters | {"port": next(ports)}
    )
    spread._engine.dispose()
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(spread._engine.connect())
    start = now(storages[0])
    stopped = sa.create_engine(urls[1].replace("mysql://", "mysql+pymysql://"), poolclass=sa.NullPool)
    with stopped.connect() as connection:
        connection.exec_driver_sql("FLUSH TABLES WITH READ LOCK")  # The node applies no changes of others.
        storages[0].record_events([event("a"), event("b")])
        assert names(read(storages[0], start)) == ["a", "b"]
        got = [read(spread, start) for _ in range(20)]
        connection.exec_driver_sql("UNLOCK TABLES")
    stopped.dispose()
    seen = {tuple(names(page)) for page in got}
    assert seen == {(), ("a", "b")}
    assert {page.cursor for page in got if not page.events} == {start}
    assert found(storages[1]) == ["a", "b"]  # Waits until the node has applied what the others committed.
    assert list(follow(spread, start)) == ["a", "b"]
    spread.close()


def test_sequencers_on_all_nodes_give_one_order(storages, writers):
    """Those that conflict leave the work to another."""
    start, names_ = now(storages[0]), [f"{node} {number}" for node in range(3) for number in range(40)]

    def write_and_read(node: int) -> None:
        for number in range(40):
            writers[node].record_events([event(f"{node} {number}")])
            read(writers[node], start)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write_and_read, range(3)))
    now(storages[0])
    orders = [list(follow(storage, start, 7)) for storage in storages]
    assert orders[0] == orders[1] == orders[2]
    assert sorted(orders[0]) == sorted(names_)


def test_killed_node_loses_nothing(galera, storages):
    """What it acknowledged is on the other nodes, and it joins again."""
    storages[2].record_events([event("a")])
    galera.nodes[2].kill()
    galera.wait_for_size(2)
    assert found(storages[0]) == ["a"]
    storages[1].record_events([event("b")])
    galera.nodes[2].start()
    galera.wait_for_size(3)
    storages[2].record_events([event("c")])
    assert [found(storage) for storage in storages] == [["a", "b", "c"]] * 3
