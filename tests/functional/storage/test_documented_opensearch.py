# SPDX-License-Identifier: Apache-2.0
"""What the page install/opensearch.rst shows works: the connection, settings of the cluster, snapshots."""

import configparser
import json
import subprocess

import pytest
import yaml

from panko import service
from panko.storage.filters import EventFilter
from panko.storage.opensearch.addresses import Address
from tests.functional.cmd.processes import run
from tests.functional.storage.builders import event
from tests.functional.storage.workers import connected
from tests.servers import ServerMissing
from tests.servers.opensearch import OpenSearch
from tests.unit.doc.blocks import ROOT, blocks_of

BLOCKS = list(blocks_of(ROOT / "doc/source/install/opensearch.rst"))
NODE = "http://os1.example.org:9200"
TIMEOUT = 120


def shown(first: str) -> str:
    """Return the text of the block that begins like this."""
    (text,) = [block.text for block in BLOCKS if block.text.startswith(first)]
    return text


def execute(script: str, server: OpenSearch) -> list[dict]:
    """Run commands with curl on a node, and return the responses."""
    assert NODE in script
    done = subprocess.run(
        ["bash", "-euc", script.replace(NODE, f"http://{server.address}").replace("curl -sS", "curl -sS -w '\\n'")],
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    responses = [json.loads(line) for line in done.stdout.splitlines() if line]
    assert not [response for response in responses if "error" in response]
    return responses


@pytest.fixture
def backed_up(tmp_path):
    """A node that may write snapshots, in the directory that replaces that of the page."""
    try:
        server = OpenSearch(durable=False)
    except ServerMissing as error:
        pytest.skip(str(error))
    with server:
        server.stop()
        backups = server.path("run", "backups")
        server.settings = yaml.safe_load(shown("path.repo").replace("/var/backups/opensearch", str(backups)))
        server.start()
        yield server, str(backups)


def test_the_connection_is_valid(tmp_path):
    path = tmp_path / "panko.conf"
    path.write_text(shown("[database]"))
    conf = service.prepare_service([], config_files=[str(path)])
    address = Address.parse(conf.database.connection)
    assert address.uses_tls
    assert (len(address.nodes), address.prefix, address.user) == (3, "panko", "panko")
    parser = configparser.ConfigParser()
    parser.read(path)
    assert {name: conf.opensearch[name] for name in parser["opensearch"]} == dict(parser["opensearch"])


def test_the_schema_is_created_as_shown(opensearch_url):
    for line in shown("runuser").splitlines():
        command, *arguments = line.partition("/opt/panko/bin/")[2].split()
        done = run(command, *arguments, OS_DATABASE__CONNECTION=opensearch_url)
        # Without a policy for old events there are warnings.
        assert done.returncode <= (1 if command == "panko-status" else 0), done.stdout + done.stderr


@pytest.mark.slow
def test_a_snapshot_is_saved_and_restored_as_shown(backed_up):
    server, backups = backed_up
    create, restore = shown("S=").replace("/var/backups/opensearch", backups), shown("curl -sS -X DELETE")
    repository = create.splitlines()[0]
    (block,) = [block.text for block in BLOCKS if "no_cluster_manager_block" in block.text and "curl" in block.text]
    assert execute(block, server)[0]["acknowledged"]
    with connected(server.url("panko")) as storage:
        storage.upgrade()
        storage.record_events([event("saved")])
        assert [each.get("accepted", True) for each in execute(create, server)] == [True, True]
        storage.record_events([event("later")])
        execute(f"{repository}\n{restore}", server)
        assert [each.message_id for each in storage.get_events(EventFilter())] == ["saved"]
        # The alias is there, so events can be stored.
        assert storage.record_events([event("later"), event("saved")]).stored == 1
