# SPDX-License-Identifier: Apache-2.0
"""The notification of an event as indented text, and its leaves by their paths.

It may be nested more deeply than Python's parser can read, and have numbers of any length: it is split into tokens,
which are never converted.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_RAW_CHARACTERS = 64 * 1024
"""How much of a notification a page shows."""

MAX_LEAVES = 10_000
MAX_PATH_CHARACTERS = 2_000_000
"""How many leaves of a notification are compared, and how long all their paths may be."""

MAX_KEY_CHARACTERS = 100
"""A longer key is truncated in a path."""

MAX_DEPTH = 30
"""How far a text is indented and paths reach; what is nested more deeply is one leaf."""

INDENT = "  "

NOTHING = ("{}", "null")
"""What is stored if there is no notification."""

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_OPENING, _CLOSING = frozenset("{["), frozenset("}]")
_EMPTY = {"}": "{}", "]": "[]"}


@dataclass(frozen=True, slots=True)
class RawText:
    """A notification as text.

    :param is_whole: whether the text is all of it
    """

    text: str
    is_whole: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is no notification."""
        return self.text in NOTHING


def indent(document: str) -> RawText:
    """Return a JSON document with one member a line, up to :data:`MAX_RAW_CHARACTERS`."""
    pieces: list[str] = []
    size = depth = 0
    before = ""
    for word in _split(document):
        depth -= word in _CLOSING
        begins_line = before not in _OPENING if word in _CLOSING else before in _OPENING or before == ","
        line = "\n" + INDENT * min(depth, MAX_DEPTH) if begins_line and before else ""
        pieces.append(line + (": " if word == ":" else write_word(word)))
        depth += word in _OPENING
        before = word
        size += len(pieces[-1])
        if size > MAX_RAW_CHARACTERS:
            return RawText("".join(pieces)[:MAX_RAW_CHARACTERS], is_whole=False)
    return RawText("".join(pieces), is_whole=True)


def _split(document: str) -> Iterator[str]:
    return (match[0] for match in _WORD.finditer(document))


def write_word(word: str) -> str:
    """Return a token of JSON; a string with letters as themselves, and what cannot be seen as escapes.

    So no character of it changes the direction of the text, and none is a lone surrogate.
    """
    if not word.startswith('"'):
        return word
    text = json.dumps(json.loads(word, strict=False), ensure_ascii=False)
    return text if text.isprintable() else "".join([each if each.isprintable() else _escape(each) for each in text])


def _escape(character: str) -> str:
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaves of a notification: what it has that contains nothing else.

    :param by_path: each as JSON; the path is as in ``payload.nodes[0].name``
    :param are_all: whether these are all
    """

    by_path: Mapping[str, str]
    are_all: bool


def find_leaves(document: str) -> Leaves:
    """Return the leaves of a JSON document."""
    found: dict[str, str] = {}
    size = 0
    for path, leaf in _walk(document):
        size += len(path)
        if len(found) == MAX_LEAVES or size > MAX_PATH_CHARACTERS:
            return Leaves(found, are_all=False)
        found[path] = leaf
    return Leaves(found, are_all=True)


@dataclass(slots=True)
class _Container:
    """An object or array that is being read; or the document, which is like an array of one member.

    :param opening: its bracket; empty: the document
    :param index: of the member
    :param key: of the member of an object; None: the next string is one
    :param is_empty: whether it has had no member
    """

    opening: str
    index: int = 0
    key: str | None = None
    is_empty: bool = True

    @property
    def step(self) -> str:
        """The part of the path to the member."""
        if self.opening != "{":
            return f"[{self.index}]" if self.opening else ""
        key = self.key or ""
        return f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{key}]"


def _walk(document: str) -> Iterator[tuple[str, str]]:
    """Yield the path of each leaf, and the leaf."""
    stack = [_Container("")]
    words = _split(document)
    for word in words:
        parent = stack[-1]
        if word in _CLOSING:
            stack.pop()
            if parent.is_empty:
                yield _join(stack), _EMPTY[word]
        elif word == ",":
            parent.index, parent.key = parent.index + 1, None
        elif parent.opening == "{" and parent.key is None:
            parent.key = _shorten(word)
            next(words)  # The colon.
        else:
            parent.is_empty = False
            if word not in _OPENING:
                yield _join(stack), write_word(word)
            elif len(stack) <= MAX_DEPTH:
                stack.append(_Container(word))
            else:
                yield _join(stack), _join_rest(word, words)


def _join(stack: list[_Container]) -> str:
    return "".join([each.step for each in stack]).removeprefix(".")


def _join_rest(opening: str, words: Iterator[str]) -> str:
    """Return the text of a container, whose opening bracket was read, and read to its end."""
    pieces, depth = [opening], 1
    for word in words:
        pieces.append(write_word(word))
        depth += (word in _OPENING) - (word in _CLOSING)
        if not depth:
            break
    return "".join(pieces)


def _shorten(word: str) -> str:
    """Return a key for a path: different keys stay different."""
    text = write_word(word)
    if len(text) > MAX_KEY_CHARACTERS:
        return f"{text[:MAX_KEY_CHARACTERS]}…{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    plain = text[1:-1]
    return plain if _PLAIN_KEY.fullmatch(plain) else text
