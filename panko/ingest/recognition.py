# SPDX-License-Identifier: Apache-2.0
"""Recognition of what is not an event: an error says what a file or a JSON object is instead, and what to do."""

import codecs
import re
from collections.abc import Mapping
from typing import Any

START_BYTES = 4096
"""Bytes at the start of an input by which it is recognized."""

_OTHER_COMPRESSIONS = {b"BZh": "bzip2 -dc", b"\xfd7zXZ\x00": "xz -dc", b"PK\x03\x04": "unzip -p"}
_BINARIES = {
    b"SQLite format 3\x00": "an SQLite database: panko-dbsync converts it if Panko 10 made it",
    b"PGDMP": "a dump of PostgreSQL: restore it with pg_restore, and let panko-dbsync convert the database",
    **{
        b"\x80%c" % protocol: "a pickle of Python, which is never read: it could run any program"
        for protocol in range(6)
    },
    codecs.BOM_UTF16_LE: "UTF-16: convert it, for example with iconv -f UTF-16 -t UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16: convert it, for example with iconv -f UTF-16 -t UTF-8",
}
_TEXTS: tuple[tuple[bytes, str | None], ...] = (
    (rb"<!doctype html|<html", "an HTML page: check the address that it comes from"),
    (rb"<", "XML: request the events with the header Accept: application/json"),
    (rb"http/\d", "an HTTP response with its headers: request the events without them, as curl does without -i"),
    (rb"(--\s|/\*|pragma |set |begin|create table|insert into)", None),
    (rb"\+--", "a table of the openstack command: request the events from /v2/events instead"),
    (rb"[\w\"]*message_id\"?,|[\w\",]+,\"?message_id\"?[,\r\n]", "CSV: export the events as JSON lines"),
    (rb"[{\[][{\[\s]*u?'", "Python's notation, not JSON: write the events with json.dumps"),
)
_SQL = re.compile(rb"\b(dump|create table|insert into|pragma foreign_keys)\b", re.IGNORECASE)
_SQL_DUMP = "an SQL dump: restore it into a database, and let panko-dbsync convert that database"

_TAG = re.compile(r"<title>.*?</title>|<[^>]*>", re.DOTALL)
_ERROR_TEXTS = ("faultstring", "message", "description", "title")
_CADF_SCHEMA = "cloud/audit"
_CADF_MEMBERS = {"eventType", "eventTime", "observer"}


def describe_start(start: bytes) -> str | None:
    """Return what an input is, and what to do about it, if it is something else than JSON that is easily recognized.

    :param start: its first bytes, up to START_BYTES
    """
    for magic, command in _OTHER_COMPRESSIONS.items():
        if start.startswith(magic):
            return f"it is compressed in a form that is not read: use {command} FILE | panko-import -"
    for magic, text in _BINARIES.items():
        if start.startswith(magic):
            return f"it is {text}"
    if b"\x00" in start:
        return "it is a binary file, not JSON"
    line = start.removeprefix(codecs.BOM_UTF8).lstrip()
    for pattern, what in _TEXTS:
        if re.match(pattern, line, re.IGNORECASE) and (what or _SQL.search(line)):
            return f"it is {what or _SQL_DUMP}"
    return None


def describe_object(document: Mapping[str, Any]) -> str | None:
    """Return what a JSON object is that is not an event; None if it may be an incomplete event.

    What the object contains is after a colon.
    """
    error = document.get("error_message", document.get("error"))
    if error:
        return f"it is an error response of an API, not events: {_error_text(error)}"
    if "versions" in document:
        return "it is the list of versions of an API, not events: request /v2/events"
    if "counter_name" in document:
        return f"it is a sample of Ceilometer, not an event: {document['counter_name']}"
    if "oslo.message" in document:
        return "it is an envelope of oslo.messaging, which only panko-import reads"
    if "payload" in document and "event_type" in document:
        return _describe_notification(document)
    if _is_cadf(document):
        return (
            "it is a CADF audit record, not an event; Ceilometer makes events of the notifications that contain such "
            f"records: {document.get('action')}"
        )
    return None


def _describe_notification(document: Mapping[str, Any]) -> str:
    payload, event_type = document["payload"], document["event_type"]
    samples = payload.get("samples") if isinstance(payload, dict) else payload
    if isinstance(samples, list) and samples and isinstance(samples[0], dict) and "counter_name" in samples[0]:
        return f"it is a message with samples of Ceilometer, not with events: {event_type}"
    if event_type == "event":
        return "it is a message of Ceilometer's notifier, which only panko-import reads"
    what = "a notification with a CADF audit record" if _is_cadf(payload) else "a notification"
    return (
        f"it is {what}, not an event; Ceilometer makes events of notifications, and publishes them: {event_type} of "
        f"{document.get('publisher_id') or 'an unknown publisher'}"
    )


def _is_cadf(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    return _CADF_SCHEMA in str(document.get("typeURI")) or document.keys() >= _CADF_MEMBERS


def _error_text(error: Any) -> str:
    """Return the text of an error response; Panko 10 sends some as HTML in JSON."""
    if isinstance(error, dict):
        error = next((error[name] for name in _ERROR_TEXTS if error.get(name)), error)
    return " ".join(_TAG.sub(" ", str(error)).split())
