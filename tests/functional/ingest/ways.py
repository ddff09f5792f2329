# SPDX-License-Identifier: Apache-2.0
"""The ways of ingestion: functions that store documents and return message_id and reason of refused ones.

A document is an event as Ceilometer's publishers http and notifier write it. Each way converts it to its own form.
"""

import contextlib
import json
import re
import sys
import threading
import types
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import webtest

from panko import service
from panko.api import app
from panko.ingest.collector import Collector
from panko.ingest.decoding import read_notification
from panko.ingest.stats import Stats
from panko.publisher.database import DatabasePublisher
from panko.storage.errors import EventsRefused
from tests.functional.api.conftest import ADMIN, NOAUTH
from tests.functional.cmd.processes import run
from tests.functional.storage.workers import connected
from tests.servers.notifier import message

Documents = list[dict[str, Any]]
Way = Callable[[str, Path, Documents], dict[str, str]]


@contextlib.contextmanager
def writing_any_number() -> Iterator[None]:
    """Allow writing numbers too long for Python to read, as other programs write them."""
    usual = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(usual)


def ceilometers(document: dict[str, Any]) -> Any:
    """Return an event as Ceilometer passes it: objects of other classes, with datetime values."""
    traits = [types.SimpleNamespace(name=name, dtype=dtype, value=value) for name, dtype, value in document["traits"]]
    for each in traits:
        if each.dtype == 4 and isinstance(each.value, str):
            with contextlib.suppress(ValueError):
                each.value = datetime.fromisoformat(each.value)
    with contextlib.suppress(ValueError):
        document = {**document, "generated": datetime.fromisoformat(document["generated"])}
    return types.SimpleNamespace(**{**document, "traits": traits})


def by_record_events(url: str, directory: Path, documents: Documents) -> dict[str, str]:
    """Record all documents in one call of the storage."""
    with connected(url) as connection:
        return _refused_by(connection.record_events, [ceilometers(document) for document in documents])


def by_publisher(url: str, directory: Path, documents: Documents) -> dict[str, str]:
    """Publish one document after the other with panko://."""
    refused = {}
    parsed_url = urlparse(f"panko://?config_file={_config(url, directory)}")
    with contextlib.closing(DatabasePublisher(None, parsed_url)) as publisher:
        for document in documents:
            refused |= _refused_by(publisher.publish_events, ceilometers(document))
    return refused


def _refused_by(call: Callable[[Any], Any], argument: Any) -> dict[str, str]:
    try:
        call(argument)
    except EventsRefused as error:
        return {refusal.event.message_id: refusal.reason for refusal in error.refusals}
    return {}


def by_file(url: str, directory: Path, documents: Documents) -> dict[str, str]:
    """Import lines as written by Ceilometer's file publisher."""
    lines = []
    for document in documents:
        traits = [dict(zip(("name", "dtype", "value"), trait, strict=True)) for trait in document["traits"]]
        with writing_any_number():
            lines.append(
                json.dumps({**document, "traits": traits, "generated": document["generated"].replace("T", " ")})
            )
    path = directory / "events"
    path.write_text("\n".join(lines))
    done = run("panko-import", "--config-file", _config(url, directory), str(path))
    reports = [re.fullmatch(rf"{path}:(\d+): (.*)", line) for line in done.stderr.splitlines()]
    assert all(reports), done.stderr
    assert f"{len(reports)} refused" in done.stdout
    return {documents[int(match[1]) - 1]["message_id"]: match[2] for match in reports}


def by_post(url: str, directory: Path, documents: Documents) -> dict[str, str]:
    """Post an array of all documents to the API."""
    conf = service.prepare_service([], config_files=[_config(url, directory)], share=True)
    with writing_any_number():
        body = json.dumps(documents)
    with contextlib.closing(app.load_app(conf, NOAUTH)) as loaded:
        client = webtest.TestApp(loaded)
        answer = client.post("/v2/events", body, headers=ADMIN, content_type="application/json", status=201).json
    assert answer["refused"] == len(answer["refusals"])
    return {refusal["message_id"]: refusal["reason"] for refusal in answer["refusals"]}


def by_collector(url: str, directory: Path, documents: Documents) -> dict[str, str]:
    """Hand the collector messages of one event each; it counts only kinds of reasons."""
    refused = {}

    class CountingStats(Stats):
        def add_refused(self, reason: str) -> None:
            refused[document["message_id"]] = ""
            super().add_refused(reason)

    with connected(url) as connection:
        for document in documents:
            with writing_any_number():
                body = message([document])
            collector = Collector(connection, None, CountingStats(), threading.Event())
            assert collector.collect([read_notification(body)["payload"]])
    return refused


def _config(url: str, directory: Path) -> str:
    path = directory / "panko.conf"
    path.write_text(f"[database]\nconnection = {url}\n")
    return str(path)


WAYS: dict[str, Way] = {
    "record_events": by_record_events,
    "publisher": by_publisher,
    "file": by_file,
    "post": by_post,
    "collector": by_collector,
}
