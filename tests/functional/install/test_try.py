# SPDX-License-Identifier: Apache-2.0
"""A newcomer follows the page "Try the sample" and the README in a new clone, with Debian's Python."""

import pytest

from tests.functional.install.conftest import Operator
from tests.functional.install.pages import ROOT, blocks
from tests.functional.test_readme import requests
from tests.servers.processes import free_port

pytestmark = pytest.mark.slow

# The first terminal; the others wait until it serves.
START = """
cd panko
setsid --fork make run PORT={port} > /root/run.log 2>&1
timeout 800 sh -c 'until grep --quiet "Ctrl-C stops the server" /root/run.log; do sleep 0.2; done' ||
    {{ cat /root/run.log; exit 1; }}
"""
STOP = """
make=$(pgrep --full --oldest 'make run PORT={port}')
kill $(pgrep --parent $make)
timeout 60 sh -c "while kill -0 $make 2> /dev/null; do sleep 0.1; done"
! pgrep --full '[p]anko-api.*{port}'
"""


@pytest.fixture
def port(operator: Operator):
    """The port on which the sample of a new clone is served."""
    port = free_port()
    operator.machine.run(START.format(port=port))
    yield port
    operator.machine.run(STOP.format(port=port))
    assert "make: ***" not in operator.machine.read("/root/run.log")


def test_every_line_of_the_page_and_of_the_readme_finds_something(operator, port):
    def paste(line: str) -> str:
        return operator.machine.run(f"cd panko\n{line}".replace(":8977", f":{port}"))

    first, *others = blocks("../try")
    assert first.text == "make run\n"
    for block in others:
        assert len(paste(block.text)) > 100
    for request in requests("README.rst"):
        assert paste(request).startswith("[{")
    readme = (ROOT / "README.rst").read_text()
    (openstack,) = [block.text for block in others if "openstack" in block.text]
    for line in openstack.splitlines():
        assert f"    {line}\n" in readme


def test_the_readme_installs_like_the_page():
    readme = (ROOT / "README.rst").read_text().splitlines()
    page = [line for block in blocks("venv", "Packages") for line in block.text.splitlines()]
    start = readme.index("    make wheel")
    lines = [line.strip() for line in readme[start : start + 3]]
    assert lines == [line.replace("/usr/bin/python3", "python3") for line in page if line in page[3:6]]
