# SPDX-License-Identifier: Apache-2.0
"""The samples in etc/panko, which the documentation shows, say what the code does; ``make config`` writes them."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from oslo_config import generator

from panko import opts, policies, service

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "etc/panko/panko.conf.sample"
POLICY_SAMPLE = ROOT / "etc/panko/policy.yaml.sample"
STALE = "run `make config` and commit what it writes"


def panko_sections(sample: str) -> dict[str, str]:
    """Return, by group, what a sample says of our own options; those of libraries are as their versions have it."""
    found = {}
    for group, text in re.findall(r"^\[(\w+)\]\n(.*?)(?=^\[|\Z)", sample, flags=re.DOTALL | re.MULTILINE):
        own = re.search(r"^# From panko\n#\n(.*?)(?=^#\n# From|\Z)", text, flags=re.DOTALL | re.MULTILINE)
        if own:
            found[group] = own[1].strip()
    return found


@pytest.fixture
def generated() -> str:
    conf = generator.cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--namespace", "panko", "--wrap-width", "100"], default_config_files=[])
    output = io.StringIO()
    generator.generate(conf, output)
    return output.getvalue()


def test_the_sample_configuration_is_current(generated):
    assert panko_sections(SAMPLE.read_text()) == panko_sections(generated), STALE


def test_the_sample_configuration_has_the_libraries_options_too():
    namespaces = re.findall(
        r"^namespace = (.+)$", (ROOT / "etc/panko/panko-config-generator.conf").read_text(), re.MULTILINE
    )
    assert set(re.findall(r"^# From (.+)$", SAMPLE.read_text(), re.MULTILINE)) == set(namespaces)


def test_the_sample_shows_where_events_are_kept_by_default():
    assert f"#connection = {opts.DEFAULT_CONNECTION}\n" in SAMPLE.read_text()
    assert service.prepare_service([], config_files=[], share=True).database.connection == opts.DEFAULT_CONNECTION


def test_every_option_is_registered_with_help():
    conf = service.prepare_service([], config_files=[], share=True)
    for group, options in opts.list_opts():
        for option in options:
            assert option.help
            registered = conf[group] if group else conf
            assert getattr(registered, option.dest) == option.default


def test_the_sample_policy_is_current():
    sample = POLICY_SAMPLE.read_text()
    rules = {rule.name: rule.check_str for rule in policies.list_rules()}
    assert yaml.safe_load(re.sub(r'^#(?=")', "", sample, flags=re.MULTILINE)) == rules, STALE
    unwrapped = " ".join(sample.replace("#", " ").split())
    for rule in policies.list_rules():
        assert " ".join(rule.description.split()) in unwrapped, STALE


def test_the_generators_find_our_options_and_rules(tmp_path):
    commands = Path(sys.executable).parent
    for command, sample in (("oslo-config-generator", SAMPLE), ("oslopolicy-sample-generator", POLICY_SAMPLE)):
        output = tmp_path / sample.name
        subprocess.run([commands / command, "--namespace", "panko", "--output-file", output], check=True)
        assert output.stat().st_size


def test_pages_in_a_browser_may_read_links_and_when_to_ask_again_by_default(tmp_path):
    output = tmp_path / "sample"
    command = [Path(sys.executable).with_name("oslo-config-generator"), "--output-file", output]
    # Panko's namespace sets the defaults of the other one.
    subprocess.run([*command, "--namespace", "panko", "--namespace", "oslo.middleware.cors"], check=True)
    (line,) = [line for line in SAMPLE.read_text().splitlines() if line.startswith("#expose_headers = ")]
    assert {"Link", "Retry-After"} <= set(line.split(" = ")[1].split(","))
    assert line in output.read_text().splitlines()


@pytest.mark.parametrize(("section", "refresh"), [("", False), ("[opensearch]\nrefresh = true\n", True)])
def test_process_that_defers_reads_has_another_default(tmp_path: Path, section: str, refresh: bool) -> None:
    """What is configured overrides it."""
    file = tmp_path / "panko.conf"
    file.write_text(section)
    conf = service.prepare_service([], config_files=[str(file)], share=True)
    assert conf.opensearch.refresh
    service.defer_reads(conf)
    assert conf.opensearch.refresh == refresh
