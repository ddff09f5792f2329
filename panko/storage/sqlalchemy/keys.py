# SPDX-License-Identifier: Apache-2.0
"""The keys that rows are found by: hashes of traits, owners, and the ids of events."""

import functools
import hashlib
import secrets
import threading
import time

MARK = "\x01"
NO_OWNER = MARK
"""The key of an owner's trait that is no text."""

OWNER_AS_IT_IS = 64
REMEMBERED = 64
"""Characters of a text whose key may be remembered: most come again, as those of projects, users and hosts do."""


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@functools.lru_cache(maxsize=4096)
def name_key(name: str) -> int:
    """Return the key of a trait's name in the index tables that have a value column: a signed 64-bit hash.

    At a billion distinct keys another one is taken for this with a chance of 1 in 18 billion.
    """
    return _hash(name)


def text_key(name: str, value: str) -> int:
    """Return the key of a text trait: a signed 64-bit hash of name and value, neither of which has a NUL."""
    return _remembered_text_key(name, value) if len(value) <= REMEMBERED else _hash(f"{name}\x00{value}")


@functools.lru_cache(maxsize=16384)
def _remembered_text_key(name: str, value: str) -> int:
    return _hash(f"{name}\x00{value}")


def owner_key(value: str | None) -> str | None:
    """Return what an index column keeps of a project or user id, injective and of at most 80 characters.

    :param value: the id; None where the event's trait of that name is no text
    """
    if value is None:
        return NO_OWNER
    if len(value) <= OWNER_AS_IT_IS and not value.startswith(MARK):
        return value
    return MARK + hashlib.blake2b(value.encode(), digest_size=32).hexdigest()


def is_whole_owner(key: str) -> bool:
    """Whether :func:`owner_key` left an id as it is."""
    return not key.startswith(MARK)


class EventIds:
    """Ids that grow in the order of recording, unique without asking the database.

    An id is the time in microseconds since 1970, shifted by 10 bits that each process draws by chance, and greater
    than the one before it in this process. Should two processes draw alike and record in the same microsecond, the
    primary key refuses the second, which takes new ids and tries again.
    """

    TAG_BITS = 10

    def __init__(self):
        self._lock = threading.Lock()
        self._last = 0

    def take(self, count: int) -> range:
        """Return ``count`` ids in growing order."""
        tag = secrets.randbelow(1 << self.TAG_BITS)
        with self._lock:
            first = max(time.time_ns() // 1000, self._last + 1)
            self._last = first + count - 1
        step = 1 << self.TAG_BITS
        return range(first * step + tag, (first + count) * step, step)
