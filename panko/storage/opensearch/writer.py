# SPDX-License-Identifier: Apache-2.0
"""Storage of events: each is created in the index of its period, unless it is stored already."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from oslo_config import cfg

from panko.storage.base import Recorded
from panko.storage.ids import EventIds
from panko.storage.opensearch.client import Client
from panko.storage.opensearch.documents import document_of, id_of
from panko.storage.opensearch.errors import translate_status
from panko.storage.opensearch.indices import Indices
from panko.storage.shapes import Shape, names_of
from panko.storage.validation import BatchValidator, CheckedEvent


class EventWriter:
    """Implements :meth:`panko.storage.base.Connection.record_events`, for many threads.

    :param client: sends requests
    :param indices: the indices
    :param conf: the service's configuration
    """

    def __init__(self, client: Client, indices: Indices, conf: cfg.ConfigOpts):
        self._client = client
        self._indices = indices
        self._refresh = conf.opensearch.refresh
        self._ids = EventIds()

    def record(self, events: Iterable[Any]) -> Recorded:
        """Store events; the errors are those of the contract."""
        validator = BatchValidator()
        given = [checked for _, checked in validator.validate(events)]
        stored = self._store(given) if given else 0
        validator.duplicates += len(given) - stored
        return validator.outcome(stored)

    def _store(self, events: Sequence[CheckedEvent]) -> int:
        ids = self._ids.take(len(events))
        lines: list[bytes] = []
        periods = set()
        for event, recorded in zip(events, ids, strict=True):
            shape = Shape(event.event_type, names_of(event))
            period = self._indices.period_of(event.generated)
            periods.add(period)
            lines.append(
                orjson.dumps({"create": {"_index": self._indices.writer_of(period), "_id": id_of(event.message_id)}})
            )
            lines.append(orjson.dumps(document_of(event, shape, recorded)))
        body = b"\n".join(lines) + b"\n"
        for period in periods:
            self._indices.create(period)
        response = self._client.write(
            "POST", "_bulk", body, require_alias="true", refresh="true" if self._refresh else "false"
        )
        stored = 0
        for item in response["items"]:
            result = item["create"]
            if result["status"] == 201:
                stored += 1
            elif result["status"] != 409:
                raise translate_status(result["status"], result["error"]["type"], result["error"]["reason"])
        return stored
