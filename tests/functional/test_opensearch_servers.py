# SPDX-License-Identifier: Apache-2.0
"""The OpenSearch servers of the test suite do what the tests of the driver rely on."""

import base64
import contextlib
import http.client
import secrets
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme

from panko import service
from panko.storage import get_connection
from tests.servers import ServerError, ServerMissing
from tests.servers.haproxy import HAProxy
from tests.servers.opensearch import OpenSearch
from tests.servers.opensearch_cluster import OpenSearchCluster
from tests.servers.opensearch_home import HOMES, java_version


@pytest.fixture
def index(opensearch_cluster: OpenSearchCluster) -> Iterator[str]:
    """An index with one document, on two nodes."""
    name = f"index_{secrets.token_hex(4)}"
    opensearch_cluster.request("PUT", f"/{name}", {"settings": {"number_of_replicas": 1}})
    opensearch_cluster.wait_for_health()
    opensearch_cluster.request("PUT", f"/{name}/_doc/1?refresh=true", {"number": 42})
    yield name
    opensearch_cluster.start()
    opensearch_cluster.drop_database(name)


def test_opensearch_keeps_documents_after_a_crash(private_opensearch: OpenSearch) -> None:
    """A document of an acknowledged request survives ``kill`` and ``start``, at the same URL."""
    private_opensearch.request("PUT", "/crashed/_doc/1", {"number": 42})
    url = private_opensearch.url("crashed")
    private_opensearch.kill()
    assert private_opensearch.pid is None
    private_opensearch.start()
    assert private_opensearch.url("crashed") == url
    assert private_opensearch.request("GET", "/crashed/_doc/1")["_source"] == {"number": 42}


@pytest.mark.slow
@pytest.mark.parametrize("version", HOMES)
def test_each_release_runs_if_a_java_for_it_is_installed(version: str) -> None:
    """And saves its classes for later servers if it can. Debian 12 has no Java for release 3."""
    try:
        java = HOMES[version].java()
    except ServerMissing as error:
        pytest.skip(str(error))
    with OpenSearch(version=version, durable=False) as server:
        assert server.release() == version
        server.request("PUT", "/index/_doc/1?refresh=true", {"number": 42})
        assert server.request("GET", "/index/_count")["count"] == 1
    assert (
        HOMES[version].directory.joinpath(f"classes-{java_version(java)}.jsa").exists() == HOMES[version].shares_classes
    )


def test_drop_database_deletes_what_begins_with_its_name(opensearch_server: OpenSearch) -> None:
    """Closed and hidden indices and templates too, but nothing of another database."""
    dropped, kept = (f"{name}_{secrets.token_hex(4)}" for name in ("dropped", "kept"))
    assert opensearch_server.create_database(dropped) == f"opensearch://{opensearch_server.address}/{dropped}"
    for name in (dropped, kept):
        component = {"template": {"settings": {"number_of_replicas": 0}}}
        opensearch_server.request("PUT", f"/_component_template/{name}-settings", component)
        template = {"index_patterns": [f"{name}-2*"], "composed_of": [f"{name}-settings"]}
        opensearch_server.request("PUT", f"/_index_template/{name}", template)
        opensearch_server.request("PUT", f"/{name}-2026-11")
        opensearch_server.request("PUT", f"/{name}-2026-12")
        opensearch_server.request("POST", f"/{name}-2026-12/_close")
        opensearch_server.request("PUT", f"/{name}-hidden", {"settings": {"index.hidden": True}})
    for _ in range(2):
        opensearch_server.drop_database(dropped)
        assert _names(opensearch_server, dropped) == []
    assert _names(opensearch_server, kept) == sorted(
        [kept, f"{kept}-2026-11", f"{kept}-2026-12", f"{kept}-hidden", f"{kept}-settings"]
    )
    opensearch_server.drop_database(kept)


def _names(server: OpenSearch, begin: str) -> list[str]:
    """Return the names of indices and templates that begin with ``begin``."""
    names = list(server.request("GET", "/_all/_settings?expand_wildcards=all"))
    for kind in ("index_templates", "component_templates"):
        names += [each["name"] for each in server.request("GET", f"/_{kind[:-1]}")[kind]]
    return sorted(name for name in names if name.startswith(begin))


def test_cluster_elects_another_manager_and_survives_a_crash_of_all(
    opensearch_cluster: OpenSearchCluster, index: str
) -> None:
    """The data is complete after a kill of one node, and after that of all."""
    manager = opensearch_cluster.manager()
    manager.kill()
    opensearch_cluster.wait_for_health("yellow", nodes=2)
    assert opensearch_cluster.manager() != manager
    opensearch_cluster.kill()
    assert opensearch_cluster.running == []
    opensearch_cluster.start()
    assert len(opensearch_cluster.running) == 3
    for node in opensearch_cluster.nodes:
        assert node.request("GET", f"/{index}/_count")["count"] == 1


def test_cluster_of_which_most_nodes_are_down_has_no_manager(opensearch_cluster: OpenSearchCluster, index: str) -> None:
    """The third node answers, but with errors; it works again when another one has started."""
    first, second, third = opensearch_cluster.nodes
    first.kill()
    second.kill()
    with pytest.raises(ServerError, match="cluster_manager_not_discovered"):
        third.request("PUT", f"/{index}-more?cluster_manager_timeout=1s")
    second.start()
    opensearch_cluster.wait_for_health("yellow", nodes=2)
    third.request("PUT", f"/{index}-more")


@pytest.mark.slow
def test_recovery_that_never_ends_is_cancelled_and_begins_again(
    opensearch_cluster: OpenSearchCluster, index: str
) -> None:
    """Here, because hardly any bytes may be sent."""
    speed = "indices.recovery.max_bytes_per_sec"
    opensearch_cluster.request("PUT", f"/{index}/_settings", {"number_of_replicas": 0})
    for _ in range(20):
        opensearch_cluster.request("POST", f"/{index}/_doc", {"text": secrets.token_hex(50_000)})
    opensearch_cluster.request("POST", f"/{index}/_flush")
    try:
        opensearch_cluster.request("PUT", "/_cluster/settings", {"transient": {speed: "1kb"}})
        opensearch_cluster.request("PUT", f"/{index}/_settings", {"number_of_replicas": 1})
        cancelled: list[str] = []
        while not cancelled:
            assert opensearch_cluster.cancel_recoveries(3600) == []
            cancelled = opensearch_cluster.cancel_recoveries(0)
        assert cancelled[0].startswith(f"{index}/0 to node")
    finally:
        opensearch_cluster.request("PUT", "/_cluster/settings", {"transient": {speed: None}})
    opensearch_cluster.wait_for_health()


def test_paused_node_keeps_its_connections(opensearch_cluster: OpenSearchCluster, index: str) -> None:
    """It accepts requests and answers none of them until it is resumed."""
    node = opensearch_cluster.nodes[0]
    with node.paused():
        assert node.is_paused
        assert node not in opensearch_cluster.running
        with pytest.raises(ServerError, match="TimeoutError"):
            node.request("GET", "/", timeout=1)
    assert not node.is_paused
    opensearch_cluster.wait_for_health()
    assert node.request("GET", f"/{index}/_count")["count"] == 1


def test_full_disk_blocks_writes_until_it_ends(opensearch_cluster: OpenSearchCluster, index: str) -> None:
    """Documents can be read, and whole indices deleted, but no other index can be created."""
    with opensearch_cluster.full_disk():
        with pytest.raises(ServerError, match=r"429.*flood-stage"):
            opensearch_cluster.request("PUT", f"/{index}/_doc/2", {})
        with pytest.raises(ServerError, match=r"403.*create-index blocked"):
            opensearch_cluster.request("PUT", f"/{index}-more")
        assert opensearch_cluster.request("GET", f"/{index}/_count")["count"] == 1
    opensearch_cluster.request("PUT", f"/{index}/_doc/2", {})
    opensearch_cluster.request("PUT", f"/{index}-more")


def test_rolling_restart_leaves_a_green_cluster_after_each_node(
    opensearch_cluster: OpenSearchCluster, index: str
) -> None:
    """Here, after the first one: it is another process then, with all data."""
    first, *others = [node.pid for node in opensearch_cluster.nodes]
    node = next(opensearch_cluster.rolling_restart())
    assert node.pid != first
    assert [each.pid for each in opensearch_cluster.running] == [node.pid, *others]
    assert node.request("GET", f"/{index}/_count")["count"] == 1
    assert opensearch_cluster.request("GET", "/_cluster/settings") == {"persistent": {}, "transient": {}}


def test_tls_proxy_wants_a_password(opensearch_server: OpenSearch, make_tls_proxy: Callable[..., HAProxy]) -> None:
    """A client that trusts the authority gets answers with the right credentials only."""
    authority = trustme.CA()
    proxy = make_tls_proxy(opensearch_server, authority, credentials="panko:secret")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    assert _status(proxy, context, "panko:secret") == 200
    assert _status(proxy, context, "panko:wrong") == 401
    with pytest.raises(ssl.SSLCertVerificationError):
        _status(proxy, ssl.create_default_context(), "panko:secret")


def test_tls_proxy_wants_a_certificate(opensearch_server: OpenSearch, make_tls_proxy: Callable[..., HAProxy]) -> None:
    """A client needs a certificate that the authority of the clients has issued."""
    authority, client_authority = trustme.CA(), trustme.CA()
    accepted = client_authority.cert_pem.bytes().decode()
    proxy = make_tls_proxy(opensearch_server, authority, client_authority=accepted)
    for issuer in (client_authority, authority, None):
        context = ssl.create_default_context()
        authority.configure_trust(context)
        if issuer:
            issuer.issue_cert("panko@example.org").configure_cert(context)
        if issuer is client_authority:
            assert _status(proxy, context) == 200
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                _status(proxy, context)


def _status(proxy: HAProxy, context: ssl.SSLContext, credentials: str = "") -> int:
    """Return the status of the proxy's answer."""
    connection = http.client.HTTPSConnection("localhost", proxy.port, timeout=30, context=context)
    headers = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"} if credentials else {}
    try:
        connection.request("GET", "/", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_nodes_that_answer_while_they_are_cut_off_are_a_problem(
    opensearch_cluster: OpenSearchCluster,
) -> None:
    """panko-status reports the default of OpenSearch."""
    conf = service.prepare_service([], config_files=[], share=True)
    setting = "cluster.no_cluster_manager_block"
    url = opensearch_cluster.url("panko_health")
    with contextlib.closing(get_connection(url, conf)) as connection:
        try:
            (problem,) = connection.find_problems()
            assert f"{setting} of the cluster is metadata_write" in problem
            opensearch_cluster.request("PUT", "/_cluster/settings", {"persistent": {setting: "all"}})
            assert [*connection.find_problems()] == []
        finally:
            opensearch_cluster.request("PUT", "/_cluster/settings", {"persistent": {setting: None}})
