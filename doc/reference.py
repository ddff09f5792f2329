# SPDX-License-Identifier: Apache-2.0
"""Sphinx extension for the reference: options by section, policy rules, links to both, and release notes.

``[api] workers`` and ``telemetry:events:index`` become links on every page.
"""

import re
from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from docutils.statemachine import StringList
from oslo_config.sphinxext import ShowOptionsDirective
from oslo_policy.sphinxext import ShowPolicyDirective
from reno.config import Config
from reno.formatter import format_report
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode, nested_parse_with_titles

ROOT = Path(__file__).parents[1]
RULES_PAGE = "reference/policies"
OPTION = re.compile(r"\[(\w+)\] (\w+)(?: = .*)?")


class ShowSections(ShowOptionsDirective):
    """Show the options of some sections: ``show-options`` with ``:sections:``, such as ``api collector``.

    The options of all libraries together are too long for one page.
    """

    option_spec = {**ShowOptionsDirective.option_spec, "sections": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        wanted = self.options["sections"].split()
        data = self.state.document.settings.env.domaindata["oslo.config"]
        before = {kind: dict(data[kind]) for kind in ("groups", "options")}
        found = super().run()
        for kind, targets in before.items():
            # The directive has registered all sections of the libraries for this page.
            kept = {key: page for key, page in data[kind].items() if key.partition(".")[0] in wanted}
            data[kind] = {**targets, **kept}
        sections: dict[str, nodes.section] = {}
        for node in found:
            if isinstance(node, nodes.section):
                section = sections[node["ids"][-1]] = node
            elif sections:
                section.append(node)  # The options follow the heading of their section.
        missing = [name for name in wanted if name not in sections]
        if missing:
            raise self.error(f"There is no section {', '.join(missing)} of options.")
        return [sections[name] for name in wanted]


class ShowRules(ShowPolicyDirective):
    """Show policy rules, each with an anchor and a label: ``:ref:`telemetry:events:index```."""

    def run(self) -> list[nodes.Node]:
        (section,) = super().run()
        env = self.state.document.settings.env
        labels = env.get_domain("std")
        for term in section.findall(nodes.term):
            rule = term.astext()
            term["ids"].append(nodes.make_id(rule))
            labels.anonlabels[rule] = env.docname, term["ids"][-1]
            labels.labels[rule] = *labels.anonlabels[rule], rule
        return section.children[1:]


class Notes:
    """The files in releasenotes/notes, as reno's loader returns those of a version.

    reno itself asks git for the version of a note, which needs a tag; a clone or an archive may have none.
    """

    def __init__(self) -> None:
        self.paths = sorted((ROOT / "releasenotes/notes").glob("*.yaml"))

    def __getitem__(self, version: str) -> list[tuple[Path, None]]:
        return [(path, None) for path in self.paths]

    def parse_note_file(self, path: Path, commit: None) -> dict:
        return yaml.safe_load(path.read_text())


class ReleaseNotes(Directive):
    """Show the release notes, under the version of the installed package."""

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        notes = Notes()
        for path in notes.paths:
            env.note_dependency(str(path))
        text = format_report(notes, Config(str(ROOT)), [env.config.release], show_source=False)
        section = nodes.section()
        section.document = self.state.document
        nested_parse_with_titles(self.state, StringList(text.splitlines(), "releasenotes"), section)
        return section.children


def link_names(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Make a link of each literal that names an option or a policy rule."""
    pages = app.env.domaindata["oslo.config"]["options"]
    rules = {
        rule: anchor for rule, (at, anchor) in app.env.get_domain("std").anonlabels.items() if at == RULES_PAGE != page
    }
    for literal in list(doctree.findall(nodes.literal)):
        text = " ".join(literal.astext().split())
        if isinstance(literal.parent, nodes.reference | nodes.title):
            continue
        if text in rules:
            link = make_refnode(app.builder, page, RULES_PAGE, rules[text], literal.deepcopy(), text)
            literal.replace_self(link)
        elif (found := OPTION.fullmatch(text)) and (target := ".".join(found.groups())) in pages:
            link = make_refnode(app.builder, page, pages[target], target, literal.deepcopy(), text)
            literal.replace_self(link)


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("oslo_config.sphinxext")
    app.setup_extension("oslo_policy.sphinxext")
    app.add_directive("show-sections", ShowSections)
    app.add_directive("show-rules", ShowRules)
    app.add_directive("release-notes", ReleaseNotes)
    app.connect("doctree-resolved", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
