# SPDX-License-Identifier: Apache-2.0
"""``--where`` is never ignored, however long it is; a hint names the likely cause of an empty list."""

import json
import subprocess

import pytest

from tests.functional.osc.conftest import Interrupting, add, answer_as_panko_10, openstack_for, pass_on, proxy_of

LONG = " OR ".join(f"name = {number:0200}" for number in range(10))
"""A condition that does not fit into an address."""

NO_LANGUAGE = (
    "The event service does not know the filter language, which --where needs. Is it a Panko 10? Use --filter."
)


def event(message_id, hour, **traits):
    generated = f"2026-01-02T{hour:02}:00:00"
    return {"message_id": message_id, "generated": generated, "traits": [[k, 1, v] for k, v in traits.items()]}


@pytest.fixture(scope="module")
def server(serve):
    with serve() as server:
        add(server, *(event(f"e{hour}", hour, name=f"{hour:0200}") for hour in range(1, 4)))
        add(server, event("other", 5, project_id="other"))
        yield server


@pytest.fixture(scope="module")
def openstack(server):
    return openstack_for(server)


def test_long_conditions_are_sent_in_the_body(openstack, server, monkeypatch):
    assert openstack.ids("--where", LONG, "--where", "generated < 2026-01-02T03:00Z") == ["e1", "e2"]
    # The links to the next pages contain the conditions, too.
    monkeypatch.setattr("panko.osc.client.PAGE_SIZE", 1)
    assert openstack.ids("--where", LONG, "--all", "--newest") == ["e3", "e2", "e1"]
    assert all(len(line) < 2000 for line in server.log.splitlines())
    assert openstack.rows("event", "count", "list", "--where", LONG) == [{"Count": 3}]
    watch = ("event", "watch", "--where", LONG, "--since", "2026-01-02", "-f", "json")
    seen = openstack.run(*watch, stdout=Interrupting("e3")).out
    assert [json.loads(line)["message_id"] for line in seen.splitlines()] == ["e1", "e2", "e3"]


def test_a_proxy_that_removes_the_body_is_an_error(server):
    """Else the command would list all events."""
    with proxy_of(server, pass_on) as (openstack, paths):
        assert "a proxy removes it. Shorten --where." in openstack.refusal("event", "list", "--where", LONG)
        assert len(paths) == 1
        assert openstack.ids("--where", "name = *1") == ["e1"]


@pytest.mark.parametrize("arguments", [["list"], ["watch"]])
def test_a_service_without_the_language_is_an_error(server, arguments):
    with proxy_of(server, answer_as_panko_10) as (openstack, _):
        assert openstack.refusal("event", *arguments, "--where", "name : 1") == NO_LANGUAGE


def test_a_service_without_counts_and_values_is_an_error(server):
    with proxy_of(server, answer_as_panko_10) as (openstack, _):
        for arguments in (["count", "list"], ["trait", "value", "list", "t", "name"]):
            assert openstack.refusal("event", *arguments).startswith("The event service cannot do this. Is it a Pank")


OTHERS = "No events of this project. There are events of other projects: add --all-projects to see them."


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["list", "--since", "2026-01-02T04:00"], [OTHERS]),
        (["list", "--where", "generated > 2026-01-02T04:00Z"], [OTHERS]),
        (["list", "--filter", "project_id=other"], [OTHERS]),
        (["count", "list", "--since", "2026-01-02T04:00"], [OTHERS]),
        (["trait", "value", "list", "t", "project_id", "--where", "project_id : *"], [OTHERS]),
        (
            ["list", "--since", "yesterday"],
            [
                "No events in this time range. The newest such event was generated at 2026-01-02T03:00:00: "
                "change --since or --until."
            ],
        ),
        (
            ["list", "--since", "yesterday", "--all-projects", "--where", "name : *"],
            [
                "No events in this time range. The newest event was generated at 2026-01-02T05:00:00: "
                "change --since or --until."
            ],
        ),
        (["list", "--since", "2026-01-02", "--where", "name = none"], []),
        (["list", "--type", "none"], []),
        (["list", "--marker", "e3"], []),
        (["list", "--since", "yesterday", "--quiet"], []),
    ],
    ids=" ".join,
)
def test_an_empty_list_names_the_likely_cause(openstack, server, arguments, expected):
    requests = server.log.count("GET /v2/")
    done = openstack.run("event", *arguments, "-f", "csv")
    assert (done.code, done.err.splitlines()) == (0, expected)
    assert server.log.count("GET /v2/") <= requests + 3


def fail_at_hints(server, request):
    """Answer a request for a hint with what no service should answer."""
    if "limit=1" in request.path:
        request.path = "/v2/capabilities"
    return pass_on(server, request)


def test_a_hint_never_fails_the_command(server):
    with proxy_of(server, fail_at_hints) as (openstack, _):
        done = openstack.run("event", "list", "--since", "yesterday", "-f", "json")
        assert (done.code, json.loads(done.out), done.err) == (0, [], "")


BASH = """
set -e
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cur=${COMP_WORDS[COMP_CWORD]}; }
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_openstack
echo "${COMPREPLY[@]}"
"""
"""Print how a line is completed; the first function is that of the package bash-completion."""


def test_bash_completes_commands_and_options(openstack, tmp_path):
    script = tmp_path / "openstack"
    # The name of the program is not that of this process.
    done = openstack.run("complete", "--name", "openstack")
    assert (done.code, done.err) == (0, "")
    script.write_text(done.out)

    def complete(*words):
        command = ["bash", "-c", BASH, "bash", script, "openstack", "event", *words]
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())

    assert complete("") == {"capabilities", "count", "list", "show", "trait", "type", "watch"}
    assert complete("trait", "") == {"description", "list", "value"}
    assert complete("list", "--wh") == {"--where"}
    selection = {"--where", "--filter", "--since", "--all-projects"}
    assert selection | {"--type", "--until", "--trait", "--short", "--long"} <= complete("list", "-")
    assert selection | {"--interval", "--group-by", "--top"} <= complete("count", "list", "-")
    assert selection | {"--until", "--events"} <= complete("trait", "value", "list", "-")
    assert selection | {"--type"} <= complete("watch", "-")
