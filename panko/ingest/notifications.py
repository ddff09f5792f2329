# SPDX-License-Identifier: Apache-2.0
"""From the body of a message on the bus to the events that it brings, as parsed JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panko.ingest.lenient_json import parse_json

PRIORITY = "sample"
"""The priority at which Ceilometer publishes events; with the topic it names the queue."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for the payload of a message that holds no notification.

    :param message_id: of the message, where at least that could be read
    """

    reason: str
    message_id: Any = None


def read_notification(body: str | bytes) -> dict[str, Any]:
    """Return the notification in a message, in or without the envelope of oslo.messaging; nothing is raised.

    oslo.messaging would reject a message that it cannot read, so that nobody could count it, and leave one of a
    priority that it does not know. So all that it gets is a notification of the right priority; the payload says what
    is wrong. Nor is there the id by which it passes over messages that come again: storage knows events by theirs.
    """
    try:
        message = parse_json(body)
        if isinstance(message, dict) and "oslo.message" in message:
            message = parse_json(message["oslo.message"])
    except (ValueError, TypeError, AttributeError, RecursionError):
        return _notification({}, Unreadable("not JSON"))
    if not isinstance(message, dict):
        return _notification({}, Unreadable("not a notification"))
    payload = message.get("payload")
    if isinstance(payload, dict):
        payload = [payload]
    if not isinstance(payload, list):
        payload = Unreadable("not a notification", message.get("message_id"))
    return _notification(message, payload)


def _notification(message: Mapping[str, Any], payload: list[Any] | Unreadable) -> dict[str, Any]:
    return {
        "priority": PRIORITY,
        "payload": payload,
        **{name: message.get(name) for name in ("message_id", "publisher_id", "event_type", "timestamp")},
    }
