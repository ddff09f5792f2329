# SPDX-License-Identifier: Apache-2.0
"""Ids that need no answer of a database: hashes of contents, and numbers in the order of recording."""

import hashlib
import secrets
import threading
import time

import orjson

from panko.storage.models import INT64

RANDOM_BITS = 10
"""Random bits of a number that is made of the time."""


def content_id(content: object, salt: int = 0) -> int:
    """Return the id of some content: the first 64 bits of a hash, as a signed number.

    :param content: lists, texts, numbers and None
    :param salt: another number if the id belongs to other content already
    """
    digest = hashlib.blake2b(orjson.dumps([content, salt] if salt else content), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


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
    database must refuse the second, which takes new ids and tries again.
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
