# SPDX-License-Identifier: Apache-2.0
"""The commands of a page, run by a shell, list the events of the page."""

import json
import os
import shlex
import subprocess

import lxml.html
import pytest

from panko.explorer.views.commands import quote
from panko.filter_language import write_comparison
from tests.functional.api.conftest import ADMIN, MEMBER, SYSTEM, fill
from tests.functional.cmd.processes import COMMANDS, TIMEOUT, environment, panko_api_on
from tests.functional.explorer.pages import ids_of

HOSTILE = [
    "'; touch {file}; '",
    "$(touch {file})",
    "`touch {file}`",
    '"',
    "a\nb",
    "\x15touch {file}\n",
    "\u202e",
    "!!",
    "-x",
]
SLOWLY_CHECKED = HOSTILE[:1] + HOSTILE[5:6]
"""Those that are given to the openstack command, too, which takes seconds."""

SEARCHES = [
    "range=all",
    "range=all&search=size+>+-60&filter=NOT+event_type+=+image.update&filter=-service+:+nothing",
    "start=2015-01-01T12:00:05&end=2015-01-01T12:00:09.5&projects=own",
    "range=30d&search=size+:+*",
    *(f"range=all&search=service+:+{operator}" for operator in ("*", "host-1")),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """panko-api without Keystone on the conformance events."""
    directory = tmp_path_factory.mktemp("commands")
    url = f"sqlite:///{directory / 'panko.sqlite'}"
    fill(url)
    with panko_api_on(url, directory) as server:
        yield server


def load(server, query, who):
    answer = server.get(f"/explorer?{query}", Accept="text/html", **{k.replace("-", "_"): v for k, v in who.items()})
    assert answer.status == 200, answer.body
    return lxml.html.fromstring(answer.body.decode())


def commands_of(page):
    """Return the commands that a page shows."""
    return [each.text_content() for each in page.xpath("//pre[@data-copy]")]


def run(command, directory):
    """Return the JSON that a shell's command prints."""
    variables = {**environment(), "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, timeout=TIMEOUT, env=variables, cwd=directory, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("query", SEARCHES)
@pytest.mark.parametrize("who", [ADMIN, MEMBER, SYSTEM], ids=["an administrator", "a member", "a system reader"])
def test_curl_lists_what_the_page_shows(server, tmp_path, query, who):
    page = load(server, query, who)
    curl = commands_of(page)[0]
    assert [event["message_id"] for event in run(curl, tmp_path)] == ids_of(page)


@pytest.mark.parametrize("query", SEARCHES[:2])
def test_the_openstack_command_lists_what_the_page_shows(server, tmp_path, query):
    page = load(server, query, ADMIN)
    openstack = commands_of(page)[1]
    assert [row["Message ID"] for row in run(f"{openstack} -f json", tmp_path)] == ids_of(page) != []


def test_a_caller_as_whom_the_command_cannot_ask_gets_none(server):
    assert len(commands_of(load(server, "range=all", MEMBER))) == 1
    assert len(commands_of(load(server, "range=all&projects=own", ADMIN))) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_no_filter_leaves_its_word(server, tmp_path, text):
    path = tmp_path / "made"
    given = write_comparison("service", text.format(file=path))
    page = load(server, "range=all&" + "&".join(f"{name}={_encode(given)}" for name in ("search", "filter")), ADMIN)
    for command in commands_of(page):
        assert all(line.isprintable() for line in command.split("\n"))
    curl, openstack = commands_of(page)
    assert run(curl, tmp_path) == []
    if text in SLOWLY_CHECKED:
        assert run(f"{openstack} -f json", tmp_path) == []
    assert not path.exists()


def _encode(text):
    return "".join(f"%{byte:02x}" for byte in text.encode())


@pytest.mark.parametrize("text", [*HOSTILE, "", "\\", "\\'\x01", "é\u2028\U0001f600\x7f", "$'x'", "a b"])
def test_a_shell_reads_what_was_quoted(text):
    done = subprocess.run(["bash", "-c", f"printf %s {quote(text)}"], capture_output=True, check=True)
    assert done.stdout.decode() == text
    assert quote(text).isprintable()
    if text.isprintable():
        assert shlex.split(quote(text)) == [text]
