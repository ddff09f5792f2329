# SPDX-License-Identifier: Apache-2.0
"""Notifications of any content are shown as text, and compared by their leaves."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panko.explorer.views import raw
from panko.storage.serialization import serialize_raw
from tests.unit.storage.drawn_events import quick, texts

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)


@quick
@given(documents)
def test_indented_text_means_the_same_and_all_of_it_can_be_seen(value) -> None:
    shown = raw.indent(serialize_raw(value))
    assert shown.is_whole
    assert shown.text == json.dumps(json.loads(shown.text), indent=2, ensure_ascii=False) or any(
        not each.isprintable() for each in json.dumps(value, ensure_ascii=False)
    )
    assert json.loads(shown.text) == value
    assert all(line.isprintable() for line in shown.text.split("\n"))


def leaves_of(value, path=""):
    """Return the leaves of a value in the plainest way."""
    if isinstance(value, dict) and value:
        steps = (
            (f".{key}" if raw._PLAIN_KEY.fullmatch(key) else f"[{shown(key)}]", inner) for key, inner in value.items()
        )
    elif isinstance(value, list) and value:
        steps = ((f"[{index}]", inner) for index, inner in enumerate(value))
    else:
        return {path.removeprefix("."): shown(value)}
    return {name: leaf for step, inner in steps for name, leaf in leaves_of(inner, path + step).items()}


def shown(value) -> str:
    return raw.write_word(serialize_raw(value))


@quick
@given(documents)
def test_leaves_are_found_by_their_paths(value) -> None:
    found = raw.find_leaves(serialize_raw(value))
    assert found.are_all
    assert found.by_path == leaves_of(value)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ('{"a":{},"b":[]}', '{\n  "a": {},\n  "b": []\n}'),
        ("[1,[2]]", "[\n  1,\n  [\n    2\n  ]\n]"),
        ('"\\u202e\\ud800\\u0000\\u007f\\u00e9"', '"\\u202e\\ud800\\u0000\\u007fé"'),
        ("9" * 5000, "9" * 5000),
        ("1e999999", "1e999999"),
    ],
)
def test_indented_text(document, text) -> None:
    assert raw.indent(document) == raw.RawText(text, is_whole=True)


DEEP = 100_000
REST = DEEP - raw.MAX_DEPTH


@pytest.mark.parametrize(
    ("document", "leaf"),
    [
        ("[" * DEEP + "]" * DEEP, "[" * REST + "]" * REST),
        ('{"a":' * DEEP + "1" + "}" * DEEP, '{"a":' * REST + "1" + "}" * REST),
        (f'"{"x" * 10**6}"', f'"{"x" * 10**6}"'),
    ],
    ids=["arrays", "objects", "a text"],
)
def test_large_documents_are_truncated(document, leaf) -> None:
    text = raw.indent(document)
    assert not text.is_whole
    assert len(text.text) == raw.MAX_RAW_CHARACTERS
    assert list(raw.find_leaves(document).by_path.values()) == [leaf]


def test_only_a_bounded_number_of_leaves_is_compared() -> None:
    many = raw.find_leaves(json.dumps(list(range(raw.MAX_LEAVES + 1))))
    assert (len(many.by_path), many.are_all) == (raw.MAX_LEAVES, False)
    below_a_long_key = raw.find_leaves(json.dumps({"k" * 10**6: list(range(1000))}))
    assert below_a_long_key.are_all
    assert sum(map(len, below_a_long_key.by_path)) < 200_000
    keys = raw.find_leaves(json.dumps({"k" * 1000: 1, "k" * 1001: 2}))
    assert sorted(keys.by_path.values()) == ["1", "2"]
