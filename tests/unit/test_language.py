# SPDX-License-Identifier: Apache-2.0
"""Code and documentation avoid words that are hard to understand, and names that were replaced."""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

SEARCHED = (
    "panko",
    "alembic",
    "benchmarks",
    "bin",
    "doc/*.py",
    "doc/source",
    "etc/panko",
    "releasenotes",
    "tests",
    "tools",
    "*.rst",
)
SUFFIXES = {"", ".ini", ".md", ".py", ".rst", ".sample", ".yaml"}
EXCEPTIONS = {"tests/unit/test_language.py", "CONTRIBUTING.rst"}
"""This file, and the list of words for contributors."""

PHRASES = {
    r"anew": "again",
    r"for ever": "forever",
    r"let(s|ting)? go of": "close, release",
    r"lacking": "missing",
    r"pass(es|ed|ing)? over": "skip",
    r"(is|are|was|were|be|been) told": "gets, is given; `logs`, `reports`",
    r"(tell|tells|told) of": "report, describe",
    r"in a circle": "in a deadlock; in a cycle",
    r"broken off|break(s|ing)? off|broke off": "truncated, aborted, reset",
    r"counts instead": "overrides",
    r"(does|do) not count": "is ignored",
    r"whom": "who",
    r"(is|are) believed": "is trusted; is cached",
    r"lanes?": "worker",
    r"what one is at": "that another has locked",
    r"sift(s|ed|ing)?": "validate; filter",
    r":raises [\w.]+: (where|else)": ":raises X: if ...",
    r"\"\"\"Returns? where": "Return whether ...; Raise X unless ...",
}
"""Regular expressions of phrases, and replacements. A space matches any white space, also across lines of a comment."""

NAMES = {
    r"_?(MOST|LARGEST|LONGEST|SHORTEST|SMALLEST)_\w+": "MAX_..., MIN_...",
    r"collect_rarely": "tune_gc",
    r"_?Sifting": "BatchValidator",
    r"Counting": "CountQuery",
    r"_read_decided": "_read_from_index",
    r"_read_sifted": "_read_adaptively",
    r"Settling": "CountCompactor",
    r"settle": "compact",
    r"_take_size": "_reserve",
    r"_give_back": "_release",
    r"exposed": "expose_get",
    r"creating": "expose_create",
    r"asking": "expose_query",
    r"ending_in_one_line": "report_errors",
}
"""Regular expressions of identifiers, and replacements."""

DEFINING = {"def", "class", "import", "@"}
"""Tokens before a name that is checked; constants are checked everywhere."""

FORMER_MODULES = {
    *("garbage", "osc/v2/selecting", "wsgi/breaking_off", "wsgi/draining"),
    *(f"api/{name}" for name in ("access", "answers", "application", "arguments", "bodies", "creation", "credentials")),
    *(f"api/{name}" for name in ("deployment", "negotiation", "rendering", "responses")),
    *("api/controllers/exposing", "api/controllers/v2/query", "api/controllers/v2/types"),
    *(f"ingest/{name}" for name in ("draining", "listening", "parsing", "receiving", "shifting", "tally")),
    *(f"storage/{name}" for name in ("documents", "sifting", "summaries")),
    *(f"storage/sqlalchemy/{name}" for name in ("conditions", "counts", "engines", "failures", "pages", "plans")),
    *(f"storage/sqlalchemy/{name}" for name in ("recording", "tally", "values", "dialects/binary")),
}
"""Modules that were renamed or merged into others."""


def searched_files() -> list[str]:
    paths = [path for pattern in SEARCHED for path in [*ROOT.glob(pattern), *(ROOT / pattern).rglob("*")]]
    names = {str(path.relative_to(ROOT)) for path in paths if path.is_file() and path.suffix in SUFFIXES}
    return sorted(names - EXCEPTIONS)


FILES = searched_files()


def phrases(text: str) -> Iterator[str]:
    """Yield line, text and replacement of each of the phrases."""
    for phrase, better in PHRASES.items():
        for match in re.finditer(rf"(?<![\w`])(?:{phrase})\b".replace(" ", r"[\s#\"]+"), text, re.IGNORECASE):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{line}: {match[0]!r}: {better}"


def names(path: Path) -> Iterator[str]:
    """Yield line, name and replacement of each definition, decorator and constant with one of the names."""
    before = ""
    with tokenize.open(path) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type == tokenize.NAME and (before in DEFINING or token.string.isupper()):
                for pattern, better in NAMES.items():
                    if re.fullmatch(pattern, token.string):
                        yield f"{token.start[0]}: {token.string}: {better}"
            before = token.string


def test_files_are_found():
    assert {"README.rst", "panko/opts.py", "doc/source/query/events.rst", "bin/panko-api"} <= set(FILES)


def test_texts_have_no_obscure_phrases():
    assert not [f"{name}:{found}" for name in FILES for found in phrases((ROOT / name).read_text())]


def test_identifiers_have_their_new_names():
    sources = [name for name in FILES if name.endswith(".py")]
    assert not [f"{name}:{found}" for name in sources for found in names(ROOT / name)]


def test_replaced_modules_and_their_tests_are_removed():
    former = {f"panko/{name}.py" for name in FORMER_MODULES}
    former |= {f"tests/unit/{name.rpartition('/')[0]}/test_{Path(name).name}.py" for name in FORMER_MODULES}
    assert not former & set(FILES)


def test_limits_have_different_names():
    """A constant that two modules define with one name has two meanings, or belongs into one of them."""
    limit = re.compile(r"(MAX|MIN|DEFAULT)_\w+|\w+_(SECONDS|BYTES)")
    modules: dict[str, list[str]] = {}
    for name in (name for name in FILES if name.startswith("panko/") and name.endswith(".py")):
        for statement in ast.parse((ROOT / name).read_text()).body:
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and limit.fullmatch(target.id):
                    modules.setdefault(target.id, []).append(name)
    assert modules
    assert not {limit: names for limit, names in modules.items() if len(names) > 1}
