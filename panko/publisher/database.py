# SPDX-License-Identifier: Apache-2.0
"""The publisher ``panko://``, which Ceilometer loads to store its events."""

import urllib.parse
from collections.abc import Sequence
from typing import Any

from panko import service, storage
from panko.publisher.grouping import GroupCommit


class DatabasePublisher:
    """Stores what Ceilometer publishes, for all its threads at once.

    Panko's own configuration says where: the file of ``panko://?config_file=PATH``, else panko.conf where oslo.config
    looks for it. Ceilometer's own configuration and logging stay as they are.

    :param conf: Ceilometer's configuration, which is not read
    :param parsed_url: the publisher's URL, as :func:`urllib.parse.urlparse` returns it
    :raises StorageError: where the database cannot be used; the text says why
    """

    def __init__(self, conf: Any, parsed_url: urllib.parse.ParseResult):
        config_files = urllib.parse.parse_qs(parsed_url.query).get("config_file")
        self.conf = service.prepare_service([], config_files=config_files, share=True)
        self._connection = storage.get_connection_from_config(self.conf)
        self._connection.check_schema()
        self._group = GroupCommit(self._connection.record_events)

    def publish_events(self, events: Any) -> None:
        """Return when the events are durable; those that are stored already are passed over.

        :param events: one event or a list of them: anything with the attributes of :class:`panko.storage.models.Event`
        :raises EventsRefused: where events cannot be stored as they are; the others of the call were stored
        :raises StorageUnavailable: where the database failed; the same call may be repeated
        """
        self._group.record(events if isinstance(events, Sequence) else [events])
