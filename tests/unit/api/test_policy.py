# SPDX-License-Identifier: Apache-2.0
"""The policy says who may do what; it follows its files, and lets nobody in where they cannot be read."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from oslo_policy import policy as oslo_policy

from panko import policies, service
from panko.api.errors import InvalidConfiguration, PolicyUnusable
from panko.api.policy import SEARCH_INTERVAL_SECONDS, Identity, Policy

ADMIN = Identity("u", "p", ("admin",))
MEMBER = Identity("u", "p", ("member",))
SYSTEM_READER = Identity("u", None, ("reader",), is_system=True)
INDEX = "telemetry:event_types:index"
OPEN = f'"{INDEX}": ""'
SHUT = f'"{INDEX}": "!"'

DEFAULTS = {
    "context_is_admin": "role:admin",
    "segregation": "rule:context_is_admin or (role:reader and system_scope:all)",
    "telemetry:events:index": "",
    "telemetry:events:show": "",
    "telemetry:events:all_tenants": "rule:segregation",
    "telemetry:events:project_events": "!",
    "telemetry:events:create": "rule:context_is_admin or role:service",
    "telemetry:event_types:index": "rule:segregation",
    "telemetry:traits:index": "rule:segregation",
    "telemetry:event_counts:index": "",
    "telemetry:event_feed:index": "",
    "telemetry:traits:show": "rule:segregation",
    "telemetry:traits:values": "",
}


@pytest.fixture
def conf(tmp_path):
    """A configuration whose files are looked for in the test's directory."""
    (tmp_path / "panko.conf").touch()
    return service.prepare_service([], config_files=[str(tmp_path / "panko.conf")], share=True)


@pytest.fixture
def write(tmp_path):
    """A function that writes a file beside panko.conf, later than all that it wrote before."""
    written = []

    def write_file(text, name="policy.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        written.append(path)
        moment = time.time() - 1000 + len(written)
        os.utime(path, (moment, moment))
        return path

    return write_file


def may(policy, identity=MEMBER, rule=INDEX):
    return policy.rules().may(rule, identity)


def test_every_rule_is_registered_with_its_default_and_a_description():
    rules = list(policies.list_rules())
    assert {rule.name: rule.check_str for rule in rules} == DEFAULTS
    assert all(rule.description for rule in rules)
    assert all(rule.scope_types == ["system", "project"] for rule in rules)
    documented = {rule.name for rule in rules if isinstance(rule, oslo_policy.DocumentedRuleDefault)}
    assert documented == {name for name in DEFAULTS if name.startswith("telemetry:")}


@pytest.mark.parametrize(
    ("identity", "unlimited"),
    [
        (ADMIN, True),
        (Identity("u", "p", ("reader", "ADMIN")), True),
        (SYSTEM_READER, True),
        (Identity("u", None, ("admin",), is_system=True), True),
        (MEMBER, False),
        (Identity("u", "p", ("reader",)), False),
        (Identity("u", None, ("reader",)), False),
        (Identity("u", "p", ("member", " admin")), False),
        (Identity("u", "p", ("",)), False),
        (Identity(), False),
    ],
)
def test_by_default_administrators_and_system_readers_are_not_limited(conf, identity, unlimited):
    assert may(Policy(conf), identity, "segregation") is unlimited


def test_a_rule_that_there_is_not_lets_nobody_in(conf):
    assert not may(Policy(conf), ADMIN, "telemetry:what")


def test_a_policy_file_overrides_defaults(conf, write):
    write(OPEN)
    assert may(Policy(conf))


def test_files_of_a_policy_directory_override_the_policy_file(conf, write):
    write(SHUT)
    write(OPEN, "policy.d/mine.yaml")
    assert may(Policy(conf))


def test_a_changed_file_counts_at_once(conf, write):
    write(OPEN)
    policy = Policy(conf)
    assert may(policy)
    write(SHUT)
    assert not may(policy)


def test_a_new_file_counts_after_the_next_search(conf, write):
    policy = Policy(conf)
    assert not may(policy)
    write(OPEN)
    time.sleep(SEARCH_INTERVAL_SECONDS)
    assert may(policy)
    write(SHUT, "policy.d/mine.yaml")
    time.sleep(SEARCH_INTERVAL_SECONDS)
    assert not may(policy)


def test_an_old_policy_file_counts_where_there_is_no_newer_one(conf, write):
    write(json.dumps({INDEX: "role:member"}), "policy.json")
    policy = Policy(conf)
    assert may(policy)
    write(SHUT)
    time.sleep(SEARCH_INTERVAL_SECONDS)
    assert not may(policy)


BROKEN = [
    "[",
    "- a\n- b",
    "just text",
    f'"{INDEX}": 5',
    f'"{INDEX}": "role:admin and"',
    f'"{INDEX}": "role:admin or nonsense"',
    f'"{INDEX}": "rule:segregation"\n"segregation": "rule:{INDEX}"',
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_is_no_policy_to_start_with(conf, write, text):
    path = write(text)
    with pytest.raises(InvalidConfiguration) as raised:
        Policy(conf)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_breaks_lets_nobody_in_until_it_is_mended(conf, write, text):
    write(OPEN)
    policy = Policy(conf)
    path = write(text)
    for _ in range(2):
        with pytest.raises(PolicyUnusable, match=str(path)):
            policy.rules()
    write(OPEN)
    assert may(policy)


def test_a_file_that_is_gone_lets_nobody_in_for_the_defaults_may_say_more(conf, write):
    path = write('"segregation": "!"')
    policy = Policy(conf)
    path.unlink()
    with pytest.raises(PolicyUnusable, match="gone"):
        policy.rules()
    write(OPEN)
    assert may(policy)


def test_a_directory_is_no_policy_file(conf, tmp_path):
    (tmp_path / "policy.yaml").mkdir()
    with pytest.raises(InvalidConfiguration, match=r"policy\.yaml"):
        Policy(conf)


def test_a_reference_to_no_rule_lets_nobody_in(conf, write):
    write(f'"{INDEX}": "rule:of_another_service"')
    assert not may(Policy(conf), ADMIN)


def test_two_policies_do_not_know_each_other(conf, write, tmp_path):
    write(OPEN)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/panko.conf").touch()
    other = Policy(service.prepare_service([], config_files=[str(tmp_path / "other/panko.conf")], share=True))
    assert may(Policy(conf))
    assert not may(other)


def test_a_decision_is_made_once(conf, monkeypatch):
    """By the library, of which it takes 0.1 ms."""
    asked = []
    enforce = oslo_policy.Enforcer.enforce
    monkeypatch.setattr(oslo_policy.Enforcer, "enforce", lambda *given: asked.append(given) or enforce(*given))
    policy = Policy(conf)
    assert all(may(policy, ADMIN) for _ in range(100))
    assert len(asked) == 1


def test_threads_see_the_old_rules_or_the_new_ones_and_nothing_between(conf, write):
    write(OPEN)
    policy = Policy(conf)
    wrong = []
    done = threading.Event()

    def ask():
        while not done.is_set():
            rules = policy.rules()
            if not rules.may("segregation", ADMIN) or rules.may("segregation", MEMBER):
                wrong.append(rules)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        write(f"{OPEN}  # {number}")
        may(policy)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("check", ["role:member", "user_id:u", "project_id:p"])
def test_what_a_rule_can_compare(conf, write, check):
    write(f'"{INDEX}": "{check}"')
    policy = Policy(conf)
    assert may(policy, MEMBER)
    assert not may(policy, Identity("other", "other", ("other",)))


@pytest.mark.parametrize("check", ["user_id:%(user_id)s", "project_id:%(project_id)s"])
def test_a_rule_has_no_target_to_compare_with(conf, write, check):
    write(f'"segregation": "{check}"')
    assert not may(Policy(conf), MEMBER, "segregation")


def run_tool(tool, tmp_path, *arguments):
    """Run one of oslo.policy's tools away from the checkout, as a user whose home is the test's directory."""
    program = Path(sys.executable).with_name(tool)
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [program, *arguments], env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=60
    )


def test_the_tools_of_oslo_policy_find_the_rules_and_their_overrides(tmp_path, write):
    write(OPEN, ".panko/policy.yaml")
    done = run_tool("oslopolicy-policy-generator", tmp_path, "--namespace", "panko")
    assert yaml.safe_load(done.stdout) == {**DEFAULTS, INDEX: ""}


@pytest.mark.parametrize("where", ["home", "config_file"])
@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (f'"{INDEX}": "role:member"', 0, ""),
        ('"telemetry:events:indx": "role:member"', 1, "Unknown rule found in policy file: telemetry:events:indx"),
        (f'"{INDEX}": "role:member and"', 1, "Failed to parse rule: role:member and"),
    ],
)
def test_the_validator_of_oslo_policy_says_what_is_wrong(tmp_path, write, where, content, code, told):
    arguments = ["--namespace", "panko"]
    if where == "home":
        write(content, ".panko/policy.yaml")
    else:
        write(content, "mine/rules.yaml")
        write("[oslo_policy]\npolicy_file = rules.yaml\n", "mine/panko.conf")
        arguments += ["--config-file", str(tmp_path / "mine/panko.conf")]
    done = run_tool("oslopolicy-validator", tmp_path, *arguments)
    assert (done.returncode, done.stdout.strip()) == (code, told), done.stderr
    assert "Traceback" not in done.stderr


def test_the_other_tools_of_oslo_policy_read_the_policy_that_a_configuration_names(tmp_path, write):
    write('"telemetry:events:index": ""\n"segregation": "!"', "rules.yaml")
    write("[oslo_policy]\npolicy_file = rules.yaml\n", "panko.conf")
    options = ("--namespace", "panko", "--config-file", str(tmp_path / "panko.conf"))
    assert run_tool("oslopolicy-list-redundant", tmp_path, *options).stdout == '"telemetry:events:index": ""\n'
    write('{"token": {"roles": [{"name": "member"}], "user": {"id": "u"}, "project": {"id": "p"}}}', "access.json")
    access = ("--policy", str(tmp_path / "rules.yaml"), "--access", str(tmp_path / "access.json"))
    assert "passed: telemetry:events:index" in run_tool("oslopolicy-checker", tmp_path, *access).stdout


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        ('"telemetry:events:indx": "role:member"', "telemetry:events:index"),
        ('"telemetry:event:index": "role:member"', "telemetry:events:index"),
        ('"segregaton": "role:member"', "segregation"),
        ('"Segregation": "role:member"', "segregation"),
        ('"identity:list_users": "role:member"', None),
    ],
)
def test_a_rule_that_does_not_exist_is_logged_with_the_nearest(conf, write, caplog, content, meant):
    write(content)
    policy = Policy(conf)
    name = content.split('"')[1]
    end = f" Did you mean {meant}?" if meant else ""
    assert caplog.messages == [f"The policy rule {name} is not one of Panko's and has no effect.{end}"]
    caplog.clear()
    write(content + "\n")
    policy.rules()
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        f'"{INDEX}": "rule:reader"\n"reader": "role:reader or rule:also"\n"also": "role:auditor"',
        '"admin_api": "role:admin"\n"default": "!"\n"admin_or_owner": "role:member"',
    ],
)
def test_rules_that_others_refer_to_or_share_a_file_with_are_no_typos(conf, write, caplog, content):
    write(content)
    Policy(conf)
    assert caplog.messages == []
