# SPDX-License-Identifier: Apache-2.0
"""No printed command installs Panko 10.0, and the files for other servers are those that are installed."""

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEXTS = [
    ROOT / "README.rst",
    ROOT / "SECURITY.rst",
    ROOT / "CONTRIBUTING.rst",
    *(ROOT / "doc/source").rglob("*.rst"),
    *(ROOT / "releasenotes/notes").glob("*.yaml"),
    *(ROOT / "panko").rglob("*.py"),
]
WARNING = re.compile(r"``pip install panko``\s+(?:gives\s+you|alone\s+would\s+fetch|installs)\s+\**Panko\s+10\.0")
INSTALLED_PAGES = ("venv", "systemd", "web-servers")


def metadata() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_command_that_installs_panko_gets_this_version():
    wheel = f"panko-{metadata()['metadata']['version']}-py3-none-any.whl"
    found = 0
    for path in TEXTS:
        text = WARNING.sub("", path.read_text())
        for line in re.findall(r".*\binstall\b.*\bpanko\b.*", text):
            if "pip install" not in line and "install panko[" not in line:
                continue
            found += 1
            assert wheel in line or "@ git+" in line or ">=11" in line, f"{path}: {line}"
        for name in re.findall(r"panko-\S+\.whl", text):
            assert name == wheel, f"{path}: {name}"
    assert found > 8


@pytest.mark.parametrize("path", [path for path in TEXTS if "[keystone_authtoken]\n" in path.read_text()])
def test_examples_of_keystones_section_name_the_address_for_clients(path):
    """keystonemiddleware warns at each start if it is missing."""
    for section in re.findall(r"^ +\[keystone_authtoken\]\n(?:    .*\n|\n)+", path.read_text(), flags=re.MULTILINE):
        assert "www_authenticate_uri = " in section


@pytest.mark.parametrize("page", INSTALLED_PAGES)
def test_the_tests_follow_every_block_of_a_page(page):
    """They run bash, write files that have a name, and run SQL on a server of its kind; text is not for the shell."""
    text = (ROOT / f"doc/source/install/{page}.rst").read_text()
    for language, caption in re.findall(r"code-block:: (\w+)\n( +:caption: /\S+)?", text):
        assert caption or language in ("bash", "postgresql", "mysql"), language
    assert "::\n\n    " not in re.sub(r"\.\. [\w-]+::.*", "", text)


def test_the_wheel_has_the_files_for_other_servers():
    data_files = metadata()["options.data_files"]
    for name in ("apache2", "haproxy", "systemd", "uwsgi"):
        patterns = data_files[f"share/panko/{name}"].split()
        found = {path for pattern in patterns for path in ROOT.glob(pattern)}
        assert found == set((ROOT / "etc" / name).iterdir())


@pytest.mark.parametrize("unit", sorted((ROOT / "etc/systemd").glob("*.service")), ids=lambda path: path.name)
def test_the_units_are_alike(unit):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(unit)
    service = parser["Service"]
    assert service["ExecStart"] == f"/opt/panko/bin/{unit.stem} --config-file /etc/panko/panko.conf"
    assert (service["User"], service["Group"], service["ProtectSystem"]) == ("panko", "panko", "strict")
    alike = re.compile(r"^User=panko\n.*?^UMask=0027\n", re.DOTALL | re.MULTILINE)
    (api,) = alike.findall((ROOT / "etc/systemd/panko-api.service").read_text())
    assert api in unit.read_text()
