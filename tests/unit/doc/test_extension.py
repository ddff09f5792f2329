# SPDX-License-Identifier: Apache-2.0
"""The Sphinx extension in doc/reference.py, on a small documentation; ``make docs`` builds that of Panko."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.doc.blocks import ROOT

pytestmark = pytest.mark.slow

CONF = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
extensions = ["doc.reference"]
release = "11.2.3"
"""
NAME_LINK = re.compile(r'<a [^>]*href="([^"]+)"[^>]*><code')

PAGES = {
    "index": "Index\n=====\n\n.. toctree::\n   :glob:\n\n   **\n",
    "names": """Names
=====

``[api] workers = 2`` and ``[DEFAULT] api_paste_config``, but not ``[nova] workers``; ``telemetry:events:all_tenants``.
""",
    "api": "API\n===\n\n.. show-sections::\n   :sections: DEFAULT api\n\n   panko\n",
    "database": "Database\n========\n\n.. show-sections::\n   :sections: database\n\n   panko\n   oslo.db\n",
    "reference/policies": f"""Rules
=====

``telemetry:events:index``

.. show-rules::
   :config-file: {ROOT}/etc/panko/panko-policy-generator.conf
""",
    "notes": "Notes\n=====\n\n.. release-notes::\n",
}


def build(directory: Path, pages: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Build pages, whose text is given by name, in the directory ``html``."""
    (directory / "conf.py").write_text(CONF)
    for name, text in pages.items():
        path = directory / f"{name}.rst"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", directory, directory / "html"]
    # oslo.policy finds the file of a page in the working directory.
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=directory)


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> dict[str, str]:
    """The built pages, by name; the extra doc is installed by ``make docs``."""
    pytest.importorskip("sphinx", reason="needs the extra doc: run make docs")
    directory = tmp_path_factory.mktemp("doc")
    done = build(directory, PAGES)
    assert done.returncode == 0, done.stderr
    return {name: (directory / f"html/{name}.html").read_text() for name in PAGES}


def test_names_of_options_and_rules_become_links_to_their_anchors(html):
    links = NAME_LINK.findall(html["names"])
    assert links == [
        "api.html#api.workers",
        "api.html#DEFAULT.api_paste_config",
        "reference/policies.html#telemetry-events-all-tenants",
    ]
    for link in links:
        page, _, anchor = link.partition(".html#")
        assert f'id="{anchor}"' in html[page]


def test_a_rule_is_no_link_on_the_page_of_the_rules(html):
    assert "telemetry:events:index" in html["reference/policies"]
    assert NAME_LINK.findall(html["reference/policies"]) == []


def test_a_page_has_the_sections_that_it_names_and_no_others(html):
    assert set(re.findall(r'id="(\w+)\.\w+"', html["api"])) == {"DEFAULT", "api"}
    assert "DEFAULT.debug" not in html["api"], "an option of oslo.log, whose name is not given"


def test_a_section_has_the_options_of_all_libraries_that_are_given(html):
    for option in ("event_time_to_live", "max_pool_size"):
        assert f'id="database.{option}"' in html["database"]


def test_a_section_without_options_is_an_error(tmp_path):
    pytest.importorskip("sphinx", reason="needs the extra doc: run make docs")
    done = build(tmp_path, {"index": PAGES["api"].replace("DEFAULT api", "api apo")})
    assert done.returncode != 0
    assert "There is no section apo of options." in done.stderr


def test_release_notes_are_those_of_the_version(html):
    """Not those of a tag of git, which a clone or an archive may lack."""
    assert re.findall("<h2>([^<]+)<", html["notes"]) == ["11.2.3"]
    (section,) = re.findall(r'<section id="new-features">.*?</section>', html["notes"], re.DOTALL)
    assert "panko-export" in section
