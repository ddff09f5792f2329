# SPDX-License-Identifier: Apache-2.0
"""The steps of the Containerfile, on copies of this machine instead of images, which no registry serves here."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.functional.install.conftest import Operator
from tests.functional.install.pages import ROOT
from tests.servers.machine import Machine

pytestmark = pytest.mark.slow

UNTIL_LISTENING = 'until grep --quiet "Listening at: http" log; do sleep 0.2; done'


@dataclass
class Stage:
    """A stage of the Containerfile: its base image, and its instructions in order."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        """Return the argument of the last instruction of a kind."""
        return next(argument for name, argument in reversed(self.steps) if name == instruction)


def stages() -> list[Stage]:
    """Return the stages of the Containerfile."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text(), flags=re.MULTILINE).replace("\\\n", "")
    found: list[Stage] = []
    for line in filter(None, text.splitlines()):
        instruction, argument = line.split(" ", 1)
        if instruction == "FROM":
            found.append(Stage(argument.split()[0]))
        else:
            found[-1].steps.append((instruction, argument))
    return found


def test_the_stages_have_the_debian_whose_python_the_environment_links_to():
    assert {stage.base for stage in stages()} == {"docker.io/library/debian:12-slim"}


@pytest.fixture
def image(operator: Operator, make_machine: Callable[[], Machine]) -> Machine:
    """A machine on which the steps of the last stage were done, with what the first stage has built.

    The first stage runs on the machine of the other page, where most libraries are installed already.
    """
    build, final = stages()
    operator.machine.run("cp --archive /srv/panko.git /src && rm -rf /src/.git")
    machine = make_machine()
    for instruction, argument in build.steps:
        if instruction == "RUN":
            operator.machine.run(argument.replace("--no-cache-dir", ""))
        else:
            assert (instruction, argument) == ("COPY", ". /src")
    for instruction, argument in final.steps:
        if instruction == "RUN":
            machine.run(argument)
        elif instruction == "COPY":
            assert argument == "--from=build /opt/panko /opt/panko"
            with subprocess.Popen(
                operator.machine.command("tar", "--create", "--directory=/opt", "panko"), stdout=subprocess.PIPE
            ) as tar:
                subprocess.run(
                    machine.command("tar", "--extract", "--directory=/opt"), stdin=tar.stdout, check=True, timeout=300
                )
    return machine


def test_its_commands_run_as_its_user(image):
    _, final = stages()
    user, directory = final.last("USER"), final.last("WORKDIR")
    variables = final.last("ENV")
    image.write("/etc/panko/panko.conf", "[database]\nconnection = sqlite:////var/lib/panko/panko.sqlite\n")
    as_user = f"cd {directory} && exec runuser -u {user} -- env -i {variables}"
    assert image.run("id panko").startswith("uid=42430(panko) gid=42430(panko)")
    for command in ("panko-collector", "panko-dbsync", "panko-expirer", "panko-import", "panko-status"):
        assert image.run(f"{as_user} {command} --version").startswith(f"{command} 11.")
    image.run(f"{as_user} panko-dbsync")
    image.run(f"{as_user} python -c 'import psycopg, pymysql, kombu'")
    command = shlex.join(json.loads(final.last("CMD")))
    image.run(f"({as_user} {command}) > log 2>&1 & timeout 60 sh -c '{UNTIL_LISTENING}' || (cat log; false)")
