# SPDX-License-Identifier: Apache-2.0
"""Signatures of events that Ceilometer publishes on the message bus: HMAC-SHA256 with a shared secret."""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

SIGNATURE = "message_signature"


def sign(event: Mapping[str, Any], secret: str) -> str:
    """Return the signature that an event should have.

    :param event: parsed JSON; a signature that it already has is ignored
    :raises ValueError: if a text in it cannot be encoded as UTF-8
    """
    signed = {name: value for name, value in event.items() if name != SIGNATURE}
    return hmac.new(secret.encode(), "".join(_parts(signed)).encode(), hashlib.sha256).hexdigest()


def is_signed(event: Mapping[str, Any], secret: str) -> bool:
    """Return whether an event has the signature that the secret gives."""
    signature = event.get(SIGNATURE)
    if not isinstance(signature, str):
        return False
    try:
        return hmac.compare_digest(sign(event, secret).encode(), signature.encode())
    except (ValueError, RecursionError):
        return False


def _parts(members: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield names and values, sorted by name; a nested name follows the names of its objects, divided by colons."""
    for name in sorted(members):
        value = members[name]
        if isinstance(value, dict):
            yield from _parts(value, f"{prefix}{name}:")
        else:
            yield f"{prefix}{name}"
            yield str(_encoded(value)) if isinstance(value, list) else str(value)


def _encoded(value: Any) -> Any:
    """Return a value inside a list in the form that is signed: texts as bytes, objects sorted by name."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return [_encoded(member) for member in value]
    if isinstance(value, dict):
        return {_encoded(name): _encoded(value[name]) for name in sorted(value)}
    return value
