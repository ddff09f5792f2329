# SPDX-License-Identifier: Apache-2.0
"""A machine on which an operator has followed the page of the virtual environment."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.functional.install.pages import Block, blocks
from tests.servers import ServerMissing
from tests.servers.machine import CHECKOUT, Machine
from tests.servers.processes import free_port

REPOSITORY = "https://git.example.org/panko.git"
DATABASE = "postgresql://panko:secret@db.example.org/panko"
SQLITE = "sqlite:////var/lib/panko/panko.sqlite"

# The working tree as a repository, since the last commit may be older.
PUBLISH = f"""
mkdir -p /srv/panko.git
cd /srv/panko.git
tar --create --directory={CHECKOUT} --exclude=./.git --exclude=./.venv --exclude=./var --exclude=./.hypothesis . |
    tar --extract --no-same-owner
git init --quiet
git add --all
git -c user.name=t -c user.email=t@example.org commit --quiet --message=t
"""


class Operator:
    """An operator at a machine, who follows pages and replaces what is only an example on them.

    :ivar port: of the API; the pages have 8977, which may be in use here
    """

    def __init__(self, machine: Machine):
        self.machine = machine
        self.port = free_port()
        self.examples = {REPOSITORY: "file://localhost/srv/panko.git", DATABASE: SQLITE}

    def adapt(self, text: str) -> str:
        """Return a text of a page with values of this test."""
        for example, value in self.examples.items():
            text = text.replace(example, value)
        return text

    def follow(self, page: str, section: str = "", **handlers: Callable[[Block], None]) -> None:
        """Do what the blocks of a page say, in order.

        :param handlers: for languages other than bash and files; they also replace those
        """
        for block in blocks(page, section):
            if block.language in handlers:
                handlers[block.language](block)
            elif block.file:
                self.machine.write(block.file, self.adapt(block.text))
            elif block.language == "bash":
                self.run(block)

    def run(self, block: Block) -> None:
        """Run the commands of a block."""
        self.machine.run(self.adapt(block.text))

    def log(self, unit: str) -> str:
        """Return what a service has logged."""
        if self.machine.boot:
            return self.machine.run(f"journalctl --no-pager --output=cat --unit={unit}")
        return self.machine.read(f"/run/{unit}.service.log")

    def append(self, block: Block) -> None:
        """Add the sections of a block to the file that it names."""
        assert block.file
        self.machine.write(block.file, f"{self.machine.read(block.file)}\n{self.adapt(block.text)}")


@pytest.fixture(scope="package")
def make_machine() -> Iterator[Callable[[], Machine]]:
    """A function that starts a machine; without systemd, it has a stand-in for systemctl."""
    with contextlib.ExitStack() as stack:

        def make() -> Machine:
            # In some containers, systemd cannot start.
            with contextlib.suppress(ServerMissing):
                return stack.enter_context(Machine(boot=True))
            try:
                machine = stack.enter_context(Machine())
            except ServerMissing as error:
                missing = str(error)
            else:
                script = Path(__file__).with_name("systemctl.py").read_text()
                machine.write("/usr/local/sbin/systemctl", f"#!/usr/bin/python3\n{script}")
                machine.run("chmod 0755 /usr/local/sbin/systemctl")
                return machine
            if os.environ.get("CI") == "true":
                pytest.fail(missing, pytrace=False)
            pytest.skip(missing)

        yield make


@pytest.fixture(scope="package")
def operator(make_machine: Callable[[], Machine]) -> Operator:
    """An operator who has followed the page of the virtual environment, but with SQLite."""
    operator = Operator(make_machine())
    operator.machine.run(PUBLISH)
    operator.follow("venv")
    return operator
