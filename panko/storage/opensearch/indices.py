# SPDX-License-Identifier: Apache-2.0
"""The indices of a cluster: which ones there are, and which one an event belongs to."""

import datetime

from oslo_config import cfg
from oslo_utils import timeutils

from panko.storage.errors import StorageError
from panko.storage.opensearch import mapping
from panko.storage.opensearch.client import Client

FIRST_TIME = datetime.datetime(2000, 1, 1)
"""Earlier events, which there are no clouds for, share an index with those of the future."""

FUTURE = datetime.timedelta(days=1)
"""How far in the future an event may be to get an index of its own period."""

MAX_INDICES = 400
"""Number of indices after which the events of further periods share one: each takes memory of the cluster."""


class Indices:
    """The indices of events, of the feed and of what there is once.

    :param client: sends requests
    :param conf: the service's configuration
    """

    def __init__(self, client: Client, conf: cfg.ConfigOpts):
        self._client = client
        self._options = conf.opensearch
        self.events = f"{client.prefix}-events-*"
        self.feed = f"{client.prefix}-feed"
        self.meta = f"{client.prefix}-meta"
        self._known: frozenset[str] = frozenset()

    def of_period(self, period: str) -> str:
        """Return the name of the index of a period."""
        return f"{self._client.prefix}-events-{period}"

    def writer_of(self, period: str) -> str:
        """Return the alias that events of a period are written to.

        A write with ``require_alias`` never creates an index, which would not have our fields.
        """
        return f"{self._client.prefix}-write-{period}"

    def period_of(self, time: datetime.datetime) -> str:
        """Return the period whose index takes an event; it may have to be created."""
        period = mapping.period_name(time, self._options.period)
        if period in self._known:
            return period
        if not FIRST_TIME <= time <= timeutils.utcnow() + FUTURE:
            return mapping.OTHER
        self._known = frozenset(self.list_periods())
        is_full = period not in self._known and len(self._known) >= MAX_INDICES
        return mapping.OTHER if is_full else period

    def list_periods(self) -> list[str]:
        """Return the periods that have an index, sorted."""
        found = self._client.read(f"_cat/indices/{self.events}", format="json", h="index", expand_wildcards="all")
        length = len(self.events) - 1
        return sorted(each["index"][length:] for each in found)

    def create(self, period: str) -> None:
        """Create the index of a period, unless it exists."""
        replicas, active = self._copies()
        body = {
            "mappings": mapping.mappings(mapping.EVENT_FIELDS, has_source=False),
            "settings": mapping.event_settings(self._options.shards, replicas, active),
            "aliases": {self.writer_of(period): {}},
        }
        self._create(self.of_period(period), body, active)

    def create_shared(self) -> None:
        """Create the indices of the feed and of what there is once, unless they exist."""
        replicas, active = self._copies()
        settings = {"number_of_shards": 1, "number_of_replicas": replicas, "write.wait_for_active_shards": str(active)}
        for name, fields in ((self.feed, mapping.ENTRY_FIELDS), (self.meta, mapping.META_FIELDS)):
            self._create(name, {"mappings": mapping.mappings(fields), "settings": {"index": settings}}, active)

    def _create(self, name: str, body: object, active: int) -> None:
        try:
            self._client.manage("PUT", name, body, wait_for_active_shards=str(active))
        except StorageError as error:
            if "resource_already_exists_exception" not in error.detail:
                raise

    def _copies(self) -> tuple[int, int]:
        """Return the number of replicas of an index, and how many copies a write waits for."""
        replicas, active = self._options.replicas, self._options.wait_for_active_shards
        if replicas is None:
            nodes = self._client.read("_cluster/health")["number_of_data_nodes"]
            replicas = max(0, min(2, nodes - 1))
        return replicas, active or replicas // 2 + 1
