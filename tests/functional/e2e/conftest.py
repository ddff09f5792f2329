# SPDX-License-Identifier: Apache-2.0
"""Run panko-api as an operator does, with events of users of a real Keystone."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from keystoneauth1.exceptions.http import BadRequest

from tests.functional.cmd.collecting import wait_until
from tests.functional.cmd.processes import Answer, RunningServer, panko_api, run
from tests.functional.e2e import command as openstack
from tests.servers import ServerMissing
from tests.servers.environments import CEILOMETER, OPENSTACK, PANKOCLIENT, Environment
from tests.servers.keystone import Keystone

CONFIG = """
[database]
connection = {connection}

{keystone.service_section}token_cache_time = {token_cache_time}
"""

TOKEN_CACHE_TIME = 2
"""Seconds of the token cache instead of 300, so that a test can wait for a new validation."""

OWNERS = {"a": ("alice", "demo"), "b": ("bob", "demo"), "c": ("carol", "demo"), "d": ("dave", "other"), "-": ()}
"""User and project of each event by message_id; the last event has no owner."""


@dataclass(frozen=True)
class Panko:
    """A running panko-api, the directory of its configuration, and its Keystone."""

    server: RunningServer
    directory: Path
    keystone: Keystone

    def get(self, path: str, token: str | None = None, **headers: str) -> Answer:
        """Return the answer to a request with a token."""
        return self.server.get(path, **headers, **({"X_Auth_Token": token} if token else {}))

    def seen(self, token: str | None, path: str = "/v2/events", **headers: str) -> str:
        """Return the letters of the events or traits in a list, "none" if it is empty, or a status other than 200."""
        answer = self.get(path, token, **headers)
        if answer.status != 200:
            return str(answer.status)
        letters = [each.get("message_id") or each["value"] for each in json.loads(answer.body)]
        # The event without owner is last.
        return "".join(sorted(letters, key=lambda letter: (letter == "-", letter))) or "none"


T = TypeVar("T")


def make_expiring(make: Callable[[int], T], is_good: Callable[[T], bool]) -> T:
    """Create something that expires soon and use it before; on a slow machine with a longer lifetime.

    :param make: creates it with a lifetime in seconds; a BadRequest means that it expired before
    """
    for seconds in (2, 4, 8, 16, 32, 64, 128):
        with contextlib.suppress(BadRequest):
            made = make(seconds)
            if is_good(made):
                return made
    raise AssertionError("it was never good")


def wait_until_refused(use: Callable[[], str]) -> None:
    """Wait until it is refused with 401."""
    wait_until(lambda: use() == "401", use, seconds=300)


def write_events(keystone: Keystone, path: Path) -> None:
    """Write a file for panko-import, with the events of OWNERS."""
    lines = []
    for message_id, owner in OWNERS.items():
        owners = [keystone.user_id(owner[0]), keystone.project_id(owner[1])] if owner else []
        traits = [["user_id", 1, owners[0]], ["project_id", 1, owners[1]]] if owner else []
        traits.append(["of", 1, message_id])
        event = {"message_id": message_id, "event_type": "t", "generated": "2026-01-02T03:04:05", "traits": traits}
        lines.append(json.dumps(event))
    path.write_text("\n".join(lines))


@contextlib.contextmanager
def running_panko(
    keystone: Keystone,
    directory: Path,
    policy: str | None = None,
    write: Callable[[Keystone, Path], None] = write_events,
    url: str | None = None,
    options: str = "",
) -> Iterator[Panko]:
    """Run panko-api on the events of OWNERS or other events, optionally with a policy file.

    :param url: URL of the database; by default an SQLite file in the directory
    :param options: more sections of the configuration
    """
    config_file = directory / "panko.conf"
    values = {
        "connection": url or f"sqlite:///{directory}/panko.sqlite",
        "keystone": keystone,
        "token_cache_time": TOKEN_CACHE_TIME,
    }
    config_file.write_text(CONFIG.format(**values) + options)
    if policy is not None:
        (directory / "policy.yaml").write_text(policy)
    write(keystone, directory / "events.json")
    for command in (["panko-dbsync"], ["panko-import", str(directory / "events.json")]):
        done = run(command[0], "--config-file", str(config_file), *command[1:])
        assert done.returncode == 0, done.stderr
    with panko_api(directory / "log", "--config-file", str(config_file), "--workers", "1") as server:
        yield Panko(server, directory, keystone)


@pytest.fixture(scope="session")
def panko(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panko]:
    """A panko-api with the default policy, shared by the tests of a process."""
    with running_panko(keystone, tmp_path_factory.mktemp("panko")) as panko:
        yield panko


@pytest.fixture(scope="session")
def cloud(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openstack.Cloud]:
    """A panko-api in the catalog with the events of command.py, shared by the tests of a process."""
    with (
        running_panko(keystone, tmp_path_factory.mktemp("cloud"), write=openstack.write_events) as panko,
        keystone.endpoint(f"http://127.0.0.1:{panko.server.port}") as region,
    ):
        yield openstack.Cloud(keystone, panko.server, region)


def _programs(environment: Environment) -> Path:
    """Return the directory of an environment's programs; if it cannot be created, skip the test, or fail it in CI."""
    try:
        return environment.make()
    except ServerMissing as error:
        missing = str(error)
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def plugin() -> Path:
    """The directory of the openstack command with Panko's plugin, without libraries of the server."""
    return _programs(OPENSTACK)


@pytest.fixture(scope="session")
def pankoclient() -> Path:
    """The directory of the openstack command with the client of Panko 10.0."""
    return _programs(PANKOCLIENT)


@pytest.fixture(scope="session")
def ceilometer() -> Path:
    """The directory of Ceilometer's programs, with Panko's publisher."""
    return _programs(CEILOMETER)
