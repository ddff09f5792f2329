# SPDX-License-Identifier: Apache-2.0
"""The keys that an index finds events by: hashes of their traits.

Keys find candidates: most events of a key, but not all, have the trait that the key was made of. A key is a signed
32-bit number. Its upper 10 bits are those of a bucket, a section of time, so that the newest events are found without
reading all others that have the trait.
"""

import functools
import zlib
from collections.abc import Iterator, Sequence

from panko.storage.conditions import EXISTS, Comparison, Pattern
from panko.storage.models import INT64, Trait, TraitType
from panko.storage.owners import OWNER_TRAITS
from panko.storage.shapes import Shape

BUCKET_BITS = 34
"""Bits of the microseconds of a bucket, which lasts 4.8 hours."""

HASH_MASK = (1 << 22) - 1
BUCKETS = 1 << 10
"""Number of buckets after which keys repeat."""

FINE_BITS = 6
"""Bits after the first one that an integer's fine key depends on: 64 keys per octave."""

INTEGER_BITS = 63


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


def filter_hashes(comparison: Comparison) -> Sequence[int] | None:
    """Return hashes of which each event that meets a comparison has at least one; None if keys do not serve it.

    :param comparison: a comparison of the traits of a name
    """
    name, values, op = str(comparison.subject), comparison.values, comparison.op
    if comparison.type is TraitType.TEXT:
        if op != "eq" or any(isinstance(value, Pattern) for value in values):
            return None
        seed = text_seed(name)
        return tuple(text_hash(seed, value) for value in values)
    if comparison.type is not TraitType.INTEGER or op in ("ne", EXISTS):
        return None
    if op == "eq":
        return tuple(integer_hashes(name, value)[0] for value in values)
    value = values[0]
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


class TraitKeys:
    """Makes the keys of the events of a shape.

    :param shape: names and types of the traits
    """

    def __init__(self, shape: Shape):
        traits = list(enumerate(shape.traits))
        self._texts = [(position, text_seed(name)) for position, (name, type_) in traits if type_ is TraitType.TEXT]
        self._integers = [(position, name) for position, (name, type_) in traits if type_ is TraitType.INTEGER]
        self._no_project = [] if OWNER_TRAITS[0] in shape.positions_by_name else [NO_PROJECT]

    def keys_of(self, traits: Sequence[Trait], generated: int) -> list[int]:
        """Return the keys that an event is found by.

        :param generated: microseconds since 1970
        """
        base = bucket_base(bucket_of(generated))
        return [base | hash_ for hash_ in self.hashes(traits)]

    def hashes(self, traits: Sequence[Trait]) -> set[int]:
        """Return the hashes of an event's traits, which its keys are made of."""
        found = {text_hash(seed, traits[position][2]) for position, seed in self._texts}
        for position, name in self._integers:
            found.update(integer_hashes(name, traits[position][2]))
        found.update(self._no_project)
        return found
