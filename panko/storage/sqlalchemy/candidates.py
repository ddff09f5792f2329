# SPDX-License-Identifier: Apache-2.0
"""What an index or a scan can find of a condition: candidates, of which Python chooses the events.

Each event that meets the condition is a candidate; some candidates do not meet it.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from panko.storage.conditions import (
    CONTAINS,
    NO_EVENT,
    And,
    Comparison,
    Condition,
    Not,
    Or,
    Pattern,
    Subject,
    fold,
    replace_comparisons,
    text_test,
)
from panko.storage.filters import EventFilter
from panko.storage.models import TraitType, is_storable
from panko.storage.owners import OWNER_TRAITS
from panko.storage.shapes import escape
from panko.storage.sqlalchemy import keys

MAX_KEYS = 1024
"""Keys in one list of a statement."""

MAX_LISTS = 100
"""Lists of keys of a statement: each is a search in an index."""

MAX_TESTS = 100
"""Texts that a scan looks for in each event."""

MAX_WORD_CHARACTERS = 12
"""Characters of a text that is taken for a word, which many events have."""

TraitNames = Set[tuple[str, TraitType]]

# What a row of ``event`` must have; the value of each is a parameter of the statement.
DOCUMENT, DOCUMENT_FOLDED = "document", "document_folded"
"""Its values contain a text; the same for a folded text, A-Z and a-z alike."""

MESSAGE_ID, MESSAGE_ID_FOLDED, MESSAGE_IDS = "message_id", "message_id_folded", "message_ids"
"""The same for its message_id; it has one of some message_ids."""

EVENT_TYPES = "event_types"
"""It has one of some event types."""

ALL, ANY = "all", "any"
"""It has all of the following, or at least one."""

LISTS = (MESSAGE_IDS, EVENT_TYPES)

Test = tuple[Any, ...]
"""One of these words, then a text or list, or several tests."""


@dataclasses.dataclass(frozen=True, slots=True)
class Candidates:
    """How to find the candidates of a filter.

    :ivar hashes: lists of hashes; an event has at least one of each list. If there are none, keys cannot find it
    :ivar test: what SQL can test a row for, with the names of parameters in the place of values; None: nothing
    :ivar parameters: the values
    :ivar finds_words: whether all texts of the test are so short that many events may have them
    :ivar alternatives: number of values of which an event has one at least
    """

    hashes: Sequence[Sequence[int]]
    test: Test | None
    parameters: Mapping[str, Any]
    finds_words: bool
    alternatives: int


def find_candidates(event_filter: EventFilter, condition: Condition, event_types: Sequence[str]) -> Candidates:
    """Return how to find the candidates of a filter.

    :param condition: that of the filter, or what :func:`drop_absent` has left of it
    :param event_types: the names of event types that may occur; needed if the condition is also about these
    """
    test = _limit_tests(_test_of(condition, event_types))
    lists = [*hash_lists(condition)[:MAX_LISTS], *_owner_hashes(event_filter)]
    parameters: dict[str, Any] = {}
    named = None if test is None else _name_parameters(test, parameters)
    texts = [value for value in parameters.values() if isinstance(value, str)]
    finds_words = bool(texts) and max(map(len, texts)) <= MAX_WORD_CHARACTERS
    return Candidates(lists, named, parameters, finds_words, 1 if test is None else max(1, _count_alternatives(test)))


def has_alternative_types(condition: Condition) -> bool:
    """Return whether keys may find a part of the alternatives, but not those of other types."""
    if isinstance(condition, Or):
        kinds = [each.type for each in condition.children if isinstance(each, Comparison)]
        if TraitType.FLOAT in kinds or TraitType.DATETIME in kinds:
            return True
    if isinstance(condition, Comparison | Not):
        return False
    return any(map(has_alternative_types, condition.children))


def drop_absent(condition: Condition, present: TraitNames | None) -> Condition:
    """Return what is left of a condition if there are no other traits than some.

    :param present: names and types; None: there may be any
    """
    if present is None:
        return condition

    def replace(comparison: Comparison) -> Condition:
        subject = comparison.subject
        is_absent = isinstance(subject, str) and (subject, comparison.type) not in present
        return NO_EVENT if is_absent else comparison

    return replace_comparisons(condition, replace)


def hash_lists(condition: Condition) -> list[Sequence[int]]:
    """Return lists of hashes; each event that meets the condition has at least one of each list."""
    if isinstance(condition, Comparison):
        hashes = keys.filter_hashes(condition) if isinstance(condition.subject, str) else None
        return [hashes] if hashes and len(hashes) <= MAX_KEYS else []
    if isinstance(condition, Not):
        return []
    lists = [hash_lists(child) for child in condition.children]
    if isinstance(condition, And):
        return list(itertools.chain.from_iterable(lists))
    united: dict[int, None] = {}
    for of_child in lists:
        if not of_child:
            return []
        united.update(dict.fromkeys(sorted(of_child, key=len)[0]))
    return [tuple(united)] if 0 < len(united) <= MAX_KEYS else []


def _owner_hashes(event_filter: EventFilter) -> list[Sequence[int]]:
    scope = event_filter.scope
    if scope.everything:
        return []
    owners = [keys.NO_PROJECT] if scope.unowned else []
    if scope.project_id is not None and all(map(is_storable, (scope.project_id, scope.user_id or ""))):
        project, user = OWNER_TRAITS
        # A user's events are fewer than those of the project.
        name, value = (project, scope.project_id) if scope.user_id is None else (user, scope.user_id)
        owners.append(keys.text_hash(keys.text_seed(name), value))
    return [owners] if owners else []


def _test_of(condition: Condition, event_types: Sequence[str]) -> Test | None:
    """Return a test of candidates; None if all rows are."""
    if isinstance(condition, Comparison):
        return _test_of_comparison(condition, event_types)
    if isinstance(condition, Not):
        return None
    tests = [_test_of(child, event_types) for child in condition.children]
    if isinstance(condition, And):
        return _all(tests)
    return _any(tests)


def _all(tests: Sequence[Test | None]) -> Test | None:
    known = list(dict.fromkeys(test for test in tests if test is not None))
    return (ALL, *known) if len(known) > 1 else known[0] if known else None


def _any(tests: Sequence[Test | None]) -> Test | None:
    known = [test for test in dict.fromkeys(tests) if test is not None]
    if len(known) < len(set(tests)) or not known:
        return None
    return (ANY, *known) if len(known) > 1 else known[0]


def _test_of_comparison(comparison: Comparison, event_types: Sequence[str]) -> Test | None:
    subject, op, values = comparison.subject, comparison.op, comparison.values
    if subject is Subject.EVENT_TYPE:
        is_wanted = text_test(op, values)
        return (EVENT_TYPES, tuple(name for name in event_types if is_wanted(name)))
    if subject is Subject.GENERATED or op not in ("eq", CONTAINS):
        return None
    of_id = subject is Subject.MESSAGE_ID
    if op == CONTAINS:
        kind = MESSAGE_ID_FOLDED if of_id else DOCUMENT_FOLDED
        return _any([_text(kind, fold(value if of_id else escape(value)).decode()) for value in values])
    if of_id and not any(isinstance(value, Pattern) for value in values):
        return (MESSAGE_IDS, values)
    kind = MESSAGE_ID if of_id else DOCUMENT
    return _any([_all([_text(kind, text) for text in _texts_of(comparison, value)]) for value in values])


def _texts_of(comparison: Comparison, value: Any) -> Iterator[str]:
    """Yield texts that the stored form of each equal value contains."""
    written = str if comparison.subject is Subject.MESSAGE_ID else escape
    if isinstance(value, Pattern):
        yield from map(written, value.parts)
    elif comparison.type is TraitType.TEXT:
        yield written(value)
    else:
        # A stored -0.0 equals 0.0, and contains its text.
        yield comparison.type.format(value if value else type(value)())


def _text(kind: str, text: str) -> Test | None:
    return (kind, text) if text else None


def count_tests(test: Test | None) -> int:
    """Return how many texts and lists a test looks for."""
    if test is None:
        return 0
    return sum(map(count_tests, test[1:])) if test[0] in (ALL, ANY) else 1


def _count_alternatives(test: Test) -> int:
    if test[0] not in (ALL, ANY):
        return len(test[1]) if test[0] in LISTS else 1
    return (min if test[0] == ALL else sum)(map(_count_alternatives, test[1:]))


def _limit_tests(test: Test | None) -> Test | None:
    """Return a test that a statement has room for."""
    if test is None or count_tests(test) <= MAX_TESTS:
        return test
    if test[0] != ALL:
        return None
    kept: list[Test | None] = []
    left = MAX_TESTS
    for each in test[1:]:
        if count_tests(each) <= left:
            kept.append(each)
            left -= count_tests(each)
    return _all(kept)


def _name_parameters(test: Test, parameters: dict[str, Any]) -> Test:
    """Return a test with the names of parameters in the place of values, and add these."""
    kind, *rest = test
    if kind in (ALL, ANY):
        return (kind, *(_name_parameters(each, parameters) for each in rest))
    name = f"test_{len(parameters)}"
    parameters[name] = rest[0] if isinstance(rest[0], str) else list(rest[0])
    return (kind, name)
