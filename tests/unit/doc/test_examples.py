# SPDX-License-Identifier: Apache-2.0
"""Each example in the documentation is run by a test, or listed here with the reason why that is impossible."""

import re

import pytest

from tests.unit.doc.blocks import PAGES, ROOT, all_blocks

BLOCKS = all_blocks()

API = "tests/functional/api/test_examples.py"
AUDIT = "tests/functional/e2e/test_audit_trail.py"
COMMANDS = "tests/functional/cmd/test_documented_examples.py"
CONVERSION = "tests/functional/cmd/test_dbsync_conversion.py"
DASHBOARDS = "tests/functional/api/test_dashboards.py"
EXPLORER = "tests/functional/explorer/test_documentation.py"
E2E = "tests/functional/e2e/test_documented_commands.py"
EXPORT = "tests/functional/cmd/test_exporter.py"
HORIZON = "tests/functional/e2e/test_horizon.py"
FILTERS = "tests/unit/doc/test_filter_language.py"
FOLLOW = "tests/functional/e2e/test_follow.py"
FORMATS = "tests/functional/api/test_event_formats.py"
MOVE = "tests/functional/cmd/test_documented_move.py"
OPENSEARCH = "tests/functional/storage/test_documented_opensearch.py"
IMPORT = "tests/functional/e2e/test_import.py"
README = "tests/functional/test_readme.py"
SQL = "tests/functional/storage/test_documented_sql.py"
TABLES = "tests/unit/api/test_tables.py"
UPGRADE = "tests/functional/cmd/test_upgrade_pages.py"

RUN = {
    "contributor/storage/example.rst": {"json": SQL, "text": SQL},
    "explore/links.rst": {"text": EXPLORER, "bash": EXPLORER, "python": HORIZON},
    "explore/setup.rst": {"ini": EXPLORER},
    "follow/index.rst": {"text": API, "json": API},
    "follow/programs.rst": {"console": E2E, "sh": FOLLOW, "python": FOLLOW, "html": FOLLOW},
    "grafana/api.rst": {"text": API, "json": API},
    "grafana/rows.rst": {"text": API, "json": API},
    "grafana/setup.rst": {"": E2E, "bash": f"{COMMANDS} {E2E}", "yaml": DASHBOARDS, "ini": COMMANDS},
    "install/opensearch.rst": {"ini": OPENSEARCH, "bash": OPENSEARCH, "yaml": OPENSEARCH},
    "operate/access.rst": {"yaml": API, "bash": AUDIT},
    "operate/audit-records.rst": {"bash": "tests/functional/e2e/test_event_owners.py", "ini": AUDIT},
    "operate/audit-trail.rst": {"bash": AUDIT, "ini": AUDIT, "text": AUDIT},
    "operate/configuration.rst": {"text": COMMANDS, "ini": COMMANDS},
    "operate/database.rst": {"sql": SQL, "bash": SQL},
    "operate/export.rst": {"console": EXPORT},
    "operate/scale.rst": {"bash": MOVE},
    "operate/import.rst": {"console": f"{COMMANDS} {IMPORT}", "json": COMMANDS, "text": COMMANDS},
    "query/client.rst": {"": E2E},
    "query/counts.rst": {"text": API, "json": API},
    "query/credentials.rst": {"": E2E},
    "query/events.rst": {"text": API, "json": API},
    "query/filter-language.rst": {"text": FILTERS, "": FILTERS, "json": FILTERS},
    "query/formats.rst": {"console": FORMATS, "text": f"{FORMATS} {TABLES}"},
    "query/pages.rst": {"": API, "text": API, "sh": FOLLOW},
    "query/store.rst": {"text": API, "json": API},
    "query/types.rst": {"text": API, "json": API},
    "reference/commands.rst": {"text": COMMANDS},
    "reference/drivers.rst": {"": "tests/functional/storage/test_plugins.py"},
    "reference/errors.rst": {"json": API},
    "upgrade.rst": {"bash": UPGRADE},
    "upgrade/configuration.rst": {"bash": UPGRADE},
    "upgrade/database.rst": {"console": CONVERSION, "sql": CONVERSION},
    "upgrade/deployment.rst": {"bash": UPGRADE},
    "README.rst": {"": README, "ini": COMMANDS},
}
"""The tests that run the blocks of a page, by language; "" is a block after a double colon."""

FOLLOWED = {
    "install/": "tests/functional/install/ and tests/functional/e2e/test_install_in_a_cloud.py",
    "try.rst": "tests/functional/install/test_try.py",
}
"""The tests that follow all blocks of the other pages in order."""

NOT_RUN = {
    "CONTRIBUTING.rst: cmd/*    wsgi/*": "a diagram",
    "CONTRIBUTING.rst: app   ": "a diagram",
    "CONTRIBUTING.rst: make bench": "takes an hour; the tests run each case on a small table",
    "CONTRIBUTING.rst: git worktree add ../before": "takes an hour",
    "contributor/opensearch.rst: panko-write": "a diagram",
    "contributor/opensearch.rst: 127": "a diagram",
    "contributor/opensearch/feed.rst: a shard": "a diagram",
    "contributor/opensearch/reading.rst: oldest first": "a diagram",
    "contributor/storage/writing.rst: 31": "a diagram",
    "install/opensearch.rst: /opt/panko/bin/pip": "tests/functional/install installs the wheel with other extras",
    "install/opensearch.rst: panko:": "needs the security plugin, which Maven Central does not have",
    "install/opensearch.rst: enable_opensearch": "needs Kolla-Ansible",
    "install/opensearch.rst: cluster.no_cluster_manager_block": "needs Kolla-Ansible",
    "install/opensearch.rst: haproxy_extra_services": "needs OpenStack-Ansible",
    "operate/import.rst: $ source": "needs the credentials of a cloud; tests/functional/e2e/test_import.py has some",
    "grafana/setup.rst: [Service]": "needs Grafana's unit of systemd",
    "grafana/setup.rst: grafana cli plugins": "needs Grafana, which Debian does not have",
    "operate/audit-trail.rst: API request ->": "a diagram",
    "query/client.rst: pip install": "tests/functional/install installs the wheel with other extras",
    "reference/commands.rst: Since worker": "needs RabbitMQ; tests/functional/cmd/test_collector.py reads such lines",
    "upgrade/clients.rst: pip uninstall": "tests/functional/install installs the wheel with other extras",
    "README.rst: make test": "runs this test",
}
"""Examples that cannot be run, by the beginning of their names, with the reason."""


def exceptions(block):
    return [beginning for beginning in NOT_RUN if block.name.startswith(beginning)]


def is_followed(block):
    return block.page.startswith(tuple(FOLLOWED)) and block.page not in RUN


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}:{block.line}")
def test_an_example_is_run_or_cannot_be(block):
    run = RUN.get(block.page, {}).get(block.language)
    assert run or exceptions(block) or is_followed(block), (
        f"no test runs {block.name} ({block.language}), and no reason is given here"
    )


def test_every_entry_is_needed():
    pages = {str(page.relative_to(ROOT)).removeprefix("doc/source/"): page.read_text() for page in PAGES}
    shown = {(block.page, block.language) for block in BLOCKS if not exceptions(block) and not is_followed(block)}
    included = re.compile(r"literalinclude:: \S+\n +:language: (\w+)")
    shown |= {
        (page, language)
        for page, text in pages.items()
        if not page.startswith(tuple(FOLLOWED))
        for language in included.findall(text)
    }
    assert {(page, language) for page, languages in RUN.items() for language in languages} == shown
    assert [beginning for beginning in NOT_RUN if not any(b.name.startswith(beginning) for b in BLOCKS)] == []


@pytest.mark.parametrize("page", RUN)
def test_the_tests_of_a_page_name_it(page):
    """By its path, its name, its directory, or the directory of the examples that it includes."""
    directory, _, name = page.partition("/")
    names = (page.removesuffix(".rst"), name or page, f"{directory}/", f"doc/source/{directory}", "examples")
    for file in {file for files in RUN[page].values() for file in files.split()}:
        text = (ROOT / file).read_text()
        assert any(name in text for name in names), f"{file} does not name {page}"
