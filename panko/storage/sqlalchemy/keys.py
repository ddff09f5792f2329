# SPDX-License-Identifier: Apache-2.0
"""The ids and keys of rows: hashes of their content, and the order of recording.

Keys find candidates: most events of a key, but not all, have the trait that the key was made of. A key is a signed
32-bit number. Its upper 10 bits are those of a bucket, a section of time, so that the newest events are found without
reading all others that have the trait.
"""

import functools
import hashlib
import secrets
import threading
import time
import zlib
from collections.abc import Iterator, Sequence

import orjson

from panko.storage.filters import TraitFilter
from panko.storage.models import INT64, TraitType

MARK = "\x01"
NO_TEXT = MARK
"""Stands for a project or user whose trait exists but is not a string."""

IMPOSSIBLE_OWNER = MARK * 2
"""A text that stands for no owner: what :func:`owner_text` returns never begins with two marks."""

MAX_OWNER_CHARACTERS = 64
"""A longer project or user id is stored as a hash."""

BUCKET_BITS = 34
"""Bits of the microseconds of a bucket, which lasts 4.8 hours."""

HASH_MASK = (1 << 22) - 1
BUCKETS = 1 << 10
"""Number of buckets after which keys repeat."""

FINE_BITS = 6
"""Bits after the first one that an integer's fine key depends on: 64 keys per octave."""

INTEGER_BITS = 63


def content_id(content: object, salt: int = 0) -> int:
    """Return the id of a row with some content: the first 64 bits of a hash, as a signed number.

    :param content: lists, texts, numbers and None
    :param salt: another number if the id belongs to other content already
    """
    digest = hashlib.blake2b(orjson.dumps([content, salt] if salt else content), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def owner_text(value: str | None) -> str:
    """Return the text for a project or user in the table of owners: unique, and of at most 80 characters.

    :param value: the id; None if the event's trait of that name is not a text
    """
    if value is None:
        return NO_TEXT
    if len(value) <= MAX_OWNER_CHARACTERS and not value.startswith(MARK):
        return value
    return MARK + hashlib.blake2b(value.encode(), digest_size=32).hexdigest()


def is_plain_id(text: str) -> bool:
    """Return whether the text for a project or user is the id itself, not a hash."""
    return not text.startswith(MARK)


def bucket_of(generated: int) -> int:
    """Return the bucket of a time in microseconds since 1970."""
    return generated >> BUCKET_BITS


def bucket_base(bucket: int) -> int:
    """Return the bits of a bucket in keys."""
    return (((bucket + BUCKETS // 2) % BUCKETS) - BUCKETS // 2) << 22


@functools.lru_cache(maxsize=4096)
def text_seed(name: str) -> int:
    """Return the seed of :func:`text_hash` for the traits of a name."""
    return zlib.crc32(f"{name}\x00".encode())


def text_hash(seed: int, value: str) -> int:
    """Return the hash of a text trait."""
    return zlib.crc32(value.encode(), seed) & HASH_MASK


@functools.lru_cache(maxsize=16384)
def integer_hashes(name: str, value: int) -> tuple[int, int]:
    """Return the fine and the octave hash of an integer trait."""
    size = value.bit_length()
    shift = max(0, size - FINE_BITS - 1)
    return _hash_integer(name, shift, value >> shift), _hash_octave(name, size, value < 0)


def _hash_integer(name: str, shift: int, prefix: int) -> int:
    return zlib.crc32(f"{name}\x00i{shift} {prefix}".encode()) & HASH_MASK


def _hash_octave(name: str, size: int, negative: bool) -> int:
    return zlib.crc32(f"{name}\x00o{'-' if negative else ''}{size}".encode()) & HASH_MASK


NO_PROJECT = zlib.crc32(b"\x00no project_id") & HASH_MASK
"""The hash of the events that have no trait project_id."""


def filter_hashes(trait_filter: TraitFilter) -> Sequence[int] | None:
    """Return hashes of which each event that meets the filter has at least one; None if keys do not serve it."""
    name, value, op = trait_filter.key, trait_filter.value, trait_filter.op
    if trait_filter.type is TraitType.TEXT and op == "eq":
        return (text_hash(text_seed(name), value),)
    if trait_filter.type is not TraitType.INTEGER or op == "ne":
        return None
    if op == "eq":
        return integer_hashes(name, value)[:1]
    first = value + (op == "gt") if op in ("ge", "gt") else INT64.start
    last = value - (op == "lt") if op in ("le", "lt") else INT64.stop - 1
    return tuple(dict.fromkeys(_range_hashes(name, first, last)))


def _range_hashes(name: str, first: int, last: int) -> Iterator[int]:
    """Yield the hashes of the integers from ``first`` to ``last``: octaves, and fine ones in incomplete octaves."""
    for size in range(INTEGER_BITS + 1):
        lowest, highest = (1 << size) >> 1, (1 << size) - 1
        yield from _octave_hashes(name, size, lowest, highest, first, last)
        if size:
            yield from _octave_hashes(name, size, -highest, -lowest, first, last)
    # The least integer is alone in its octave.
    yield from _octave_hashes(name, INTEGER_BITS + 1, INT64.start, INT64.start, first, last)


def _octave_hashes(name: str, size: int, lowest: int, highest: int, first: int, last: int) -> Iterator[int]:
    begin, end = max(lowest, first), min(highest, last)
    if begin > end:
        return
    if (begin, end) == (lowest, highest):
        yield _hash_octave(name, size, lowest < 0)
        return
    shift = max(0, size - FINE_BITS - 1)
    for prefix in range(begin >> shift, (end >> shift) + 1):
        yield _hash_integer(name, shift, prefix)


RANDOM_BITS = 10
"""Random bits of a number that is made of the time."""


def draw_number() -> int:
    """Return a number that nobody else draws: the time in microseconds since 1970, and random bits below."""
    return number_at(time.time_ns() // 1000) + secrets.randbelow(1 << RANDOM_BITS)


def number_at(time_: int) -> int:
    """Return the least number that can be drawn at a time in microseconds since 1970; within 64 bits in any case."""
    return max(0, min(time_ << RANDOM_BITS, INT64.stop - 1))


class EventIds:
    """Ids that grow in the order of recording, unique without asking the database.

    The ids of a transaction follow each other. The first id is drawn, see :func:`draw_number`. It is always
    greater than the last id of this process. If another process draws one of the same ids in the same microsecond, the
    primary key refuses the second, which takes new ids and tries again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def take(self, count: int) -> range:
        """Return ``count`` ids in growing order."""
        drawn = draw_number()
        with self._lock:
            first = max(drawn, self._last + 1)
            self._last = first + count - 1
        return range(first, first + count)
