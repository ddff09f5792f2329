# SPDX-License-Identifier: Apache-2.0
"""JSON from outside, read as fast as it can be, and as Python reads it."""

import json
import sys
from typing import Any

import orjson

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_LARGE_NUMBER = b"0" * 19
"""Digits of an integer that may have more than 64 bits, which orjson would read as a float."""


def parse_json(document: str | bytes) -> Any:
    """Return the value that a document stands for, as :func:`json.loads` does.

    A number of more digits than Python reads becomes one that is as hard to write: what holds it is refused by itself,
    and the rest of the document is not.

    :param document: JSON; as bytes, in UTF-8
    :raises UnicodeDecodeError: where it is not UTF-8
    :raises ValueError: where it is no JSON
    :raises RecursionError: where it is nested too deeply
    """
    text = document.encode(errors="surrogatepass") if isinstance(document, str) else document
    # To look for a run of digits so takes a tenth of the time that a regular expression does.
    if _LARGE_NUMBER not in text.translate(_DIGITS_TO_ZERO):
        try:
            return orjson.loads(document)
        except orjson.JSONDecodeError:
            pass  # It may be what Python alone writes and reads: NaN, or half of a pair of surrogates.
    return json.loads(document if isinstance(document, str) else document.decode(), parse_int=_integer)


def _integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        # One digit more than Python would write.
        return 10 ** sys.get_int_max_str_digits()
