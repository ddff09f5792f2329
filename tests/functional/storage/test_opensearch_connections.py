# SPDX-License-Identifier: Apache-2.0
"""Connections to OpenSearch: TLS, logins, several nodes, and errors that say what to do."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from panko import service
from panko.storage import EventFilter, get_connection
from panko.storage.base import Connection
from panko.storage.errors import AccessDenied, StorageMisconfigured, StorageUnavailable
from tests.functional.cmd.processes import free_port
from tests.functional.storage.builders import event
from tests.servers.haproxy import HAProxy
from tests.servers.opensearch import OpenSearch

MakeProxy = Callable[..., HAProxy]
Connect = Callable[..., Connection]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A function that connects to a URL with options of [opensearch]; the connection is closed after the test."""
    connections = []

    def open_connection(url: str, **options: Any) -> Connection:
        conf = service.prepare_service([], config_files=[], share=True)
        for name, value in options.items():
            conf.set_override(name, str(value) if isinstance(value, Path) else value, group="opensearch")
        connections.append(get_connection(url, conf))
        return connections[-1]

    yield open_connection
    for connection in connections:
        connection.close()


@pytest.fixture
def place(opensearch_url: str) -> str:
    """What follows the address in the URL of an empty prefix."""
    return opensearch_url.rpartition("/")[2]


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    """The authority that issues the certificates of nodes; its own is in the file ca.pem."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority


def stores(connection: Connection) -> bool:
    """Return whether a connection stores events and reads them."""
    connection.upgrade()
    connection.check_schema()
    return connection.record_events([event("a")]).stored == len(list(connection.get_events(EventFilter()))) == 1


def refuse(connect: Connect, url: str, **options: Any) -> str:
    """Return the text of the error of a connection that cannot be used as it is configured, in one line."""
    with pytest.raises(StorageMisconfigured) as raised:
        connect(url, **options)
    return f"{raised.value} {raised.value.detail}"


def test_tls_with_a_login(
    opensearch_server: OpenSearch,
    make_tls_proxy: MakeProxy,
    authority: trustme.CA,
    connect: Connect,
    place: str,
    tmp_path: Path,
) -> None:
    proxy = make_tls_proxy(opensearch_server, authority, credentials="panko:hunter2")
    url, cafile = f"opensearch+https://panko:hunter2@localhost:{proxy.port}/{place}", tmp_path / "ca.pem"
    assert stores(connect(url, cafile=cafile))
    with pytest.raises(AccessDenied) as raised:
        connect(url.replace("hunter2", "hunter3"), cafile=cafile)
    assert "Check user and password" in raised.value.detail
    assert "hunter" not in raised.value.detail
    unknown = refuse(connect, url)
    assert "CERTIFICATE_VERIFY_FAILED" in unknown
    assert "[opensearch] cafile" in unknown
    # The same address by a name that the certificate does not have.
    assert "name the nodes" in refuse(connect, url.replace("localhost", "127.1"), cafile=cafile)
    assert stores(connect(f"{url}-2", insecure=True))
    with pytest.raises(StorageUnavailable, match="does not answer") as plain:
        connect(url.replace("+https", ""))
    assert "opensearch+https" in plain.value.detail


def test_client_certificate(
    opensearch_server: OpenSearch,
    make_tls_proxy: MakeProxy,
    authority: trustme.CA,
    connect: Connect,
    place: str,
    tmp_path: Path,
) -> None:
    clients = trustme.CA()
    proxy = make_tls_proxy(opensearch_server, authority, client_authority=clients.cert_pem.bytes().decode())
    url, cafile = f"opensearch+https://localhost:{proxy.port}/{place}", tmp_path / "ca.pem"
    for issuer, name in ((clients, "known"), (authority, "unknown")):
        certificate = issuer.issue_cert("panko@example.org")
        certificate.cert_chain_pems[0].write_to_path(str(tmp_path / f"{name}.pem"))
        certificate.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
    files = {"cafile": cafile, "certfile": tmp_path / "known.pem", "keyfile": tmp_path / "known.key"}
    assert stores(connect(url, **files))
    assert "[opensearch] certfile and keyfile" in refuse(connect, url, cafile=cafile)
    unknown = files | {"certfile": tmp_path / "unknown.pem", "keyfile": tmp_path / "unknown.key"}
    assert "[opensearch] certfile" in refuse(connect, url, **unknown)


@pytest.mark.parametrize("option", ["cafile", "certfile", "keyfile"])
def test_unusable_file_of_tls_is_named(connect: Connect, option: str, tmp_path: Path) -> None:
    known = trustme.CA().issue_cert("panko@example.org")
    files = {"certfile": tmp_path / "known.pem"}
    known.private_key_and_cert_chain_pem.write_to_path(str(files["certfile"]))
    url = f"opensearch+https://localhost:{free_port()}"
    missing = files | {option: tmp_path / "missing.pem"}
    text = refuse(connect, url, **missing)
    assert f"{option} {tmp_path / 'missing.pem'}" in text
    assert "No such file" in text
    (tmp_path / "missing.pem").write_text("nothing")
    assert f"{option} {tmp_path / 'missing.pem'}" in refuse(connect, url, **missing)


def test_tls_to_a_node_without_it(opensearch_server: OpenSearch, connect: Connect) -> None:
    text = refuse(connect, f"opensearch+https://{opensearch_server.address}/panko")
    assert "begin [database] connection with opensearch://" in text


def test_nodes_that_are_down_are_left_out(
    opensearch_server: OpenSearch, connect: Connect, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests go to the others; the log has no traceback and no body."""
    caplog.set_level(logging.DEBUG)
    down = f"127.0.0.1:{free_port()},nowhere.invalid"
    connection = connect(f"opensearch://panko:hunter2@{down},{opensearch_server.address}/{place}")
    assert stores(connection)
    for _ in range(5):
        assert connection.record_events([event("a")]).duplicates == 1
    assert not [record for record in caplog.records if record.exc_info]
    assert "hunter2" not in caplog.text
    assert "sample.created" not in caplog.text


def test_unreachable_nodes_are_named_at_once(connect: Connect) -> None:
    start = time.monotonic()
    with pytest.raises(StorageUnavailable) as raised:
        connect(f"opensearch://panko:hunter2@127.0.0.1:{free_port()},nowhere.invalid:9200/panko")
    assert time.monotonic() - start < 30
    assert any(name in raised.value.detail for name in ("127.0.0.1", "nowhere.invalid"))
    assert "hunter2" not in raised.value.detail


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"version":{"number":"8.15.0","build_flavor":"default"}}', "Elasticsearch 8.15.0"),
        (b'{"version":{"number":"1.3.20","distribution":"opensearch"}}', "OpenSearch 1.3.20"),
        (b'{"couchdb":"Welcome"}', "not OpenSearch"),
        (b"<html>It works!</html>", "not OpenSearch"),
    ],
)
def test_other_servers_are_refused(connect: Connect, body: bytes, text: str) -> None:
    """The error says which product answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                client.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            assert text in refuse(connect, f"opensearch://127.0.0.1:{server.getsockname()[1]}/panko")
        finally:
            thread.join(30)
