# SPDX-License-Identifier: Apache-2.0
"""The indices of a cluster: which ones there are, and which one an event belongs to."""

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from oslo_config import cfg
from oslo_utils import timeutils

from panko.storage.errors import StatementFailed
from panko.storage.models import EPOCH
from panko.storage.opensearch import mapping
from panko.storage.opensearch.client import Client, check_complete
from panko.storage.opensearch.errors import EXISTING_INDEX
from panko.storage.parts import split_by_count

FIRST_DAY = (datetime.datetime(2000, 1, 1) - EPOCH).days
"""Events before this day since 1970, which there are no clouds for, share an index with those of the future."""

FUTURE_DAYS = 1
"""How many days in the future an event may be for an index of its period to be created."""

MAX_INDICES = 400
"""Number of indices after which the events of further periods share one: each takes memory of the cluster."""

CREATE_TIMEOUT = "5s"
"""How long the cluster waits until a new index can be used. Whoever writes to it later waits again."""

NAMES_PER_REQUEST = 50
"""Names of indices in a URL, of which a node accepts 4 KiB."""

MAX_NAMED = 5
"""Names of indices in an error text."""

_ALSO_HIDDEN = {"expand_wildcards": "all", "ignore_unavailable": "true"}


def list_some(names: Sequence[str]) -> str:
    """Return the first names as text."""
    return ", ".join(names[:MAX_NAMED]) + (", …" if names[MAX_NAMED:] else "")


class Indices:
    """The indices of events, of the feed and of what there is once.

    :param client: sends requests
    :param conf: the service's configuration
    :ivar events: a pattern of the names of all indices of events
    :ivar feed: the name of the index of the feed's entries
    :ivar meta: the name of the index of what there is once
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

    def periods_of(self, days: Collection[int]) -> dict[int, str]:
        """Return the periods whose indices take the events of some days since 1970; an index may have to be created."""
        names = {day: self._name(day) if day >= FIRST_DAY else mapping.OTHER for day in days}
        wanted = set(names.values()) - {mapping.OTHER}
        if not wanted <= self._known:
            self._known = frozenset(self.list_periods())
        missing = wanted - self._known
        if missing:
            last = (timeutils.utcnow() - EPOCH).days + FUTURE_DAYS
            possible = {name for day, name in names.items() if name in missing and day <= last}
            missing.difference_update(sorted(possible)[: max(0, MAX_INDICES - len(self._known))])
        return {day: mapping.OTHER if name in missing else name for day, name in names.items()}

    def _name(self, day: int) -> str:
        return mapping.period_name(EPOCH + datetime.timedelta(day), self._options.period)

    def list_periods(self) -> list[str]:
        """Return the periods that have an index, sorted."""
        found = self._client.read(f"_cat/indices/{self.events}", format="json", h="index", expand_wildcards="all")
        length = len(self.events) - 1
        return sorted(each["index"][length:] for each in found)

    def create(self, period: str) -> None:
        """Create the index of a period, unless it exists."""
        name, alias = self.of_period(period), self.writer_of(period)
        replicas, active = self._copies()
        body = {
            "mappings": mapping.mappings(mapping.EVENT_FIELDS, has_source=False),
            "settings": mapping.event_settings(self._options.shards, replicas, active),
            "aliases": {alias: {}},
        }
        if not self._create(name, body, active):
            # It may have been restored from a snapshot without its alias.
            self._client.write("PUT", f"{name}/_alias/{alias}")

    def create_shared(self) -> None:
        """Create the indices of the feed and of what there is once, unless they exist."""
        replicas, active = self._copies()
        settings = mapping.index_settings(1, replicas, active)
        for name, fields in ((self.feed, mapping.ENTRY_FIELDS), (self.meta, mapping.META_FIELDS)):
            self._create(name, {"mappings": mapping.mappings(fields), "settings": {"index": settings}}, active)

    def _create(self, name: str, body: object, active: int) -> bool:
        """Return whether an index was created; otherwise it existed."""
        waits = {"wait_for_active_shards": str(active), "timeout": CREATE_TIMEOUT}
        try:
            self._client.write("PUT", name, body, **waits)
        except StatementFailed as error:
            if EXISTING_INDEX not in error.detail:
                raise
            return False
        return True

    def search(self, body: Any) -> Any:
        """Return the response to a search in all indices of events."""
        return self._client.search(self.events, body)

    def refresh(self, names: str | None = None) -> None:
        """Let what was stored and deleted be seen by searches.

        :param names: names or patterns of indices, separated by commas; None: all indices of events
        """
        check_complete(self._client.write("POST", f"{names or self.events}/_refresh"))

    def delete(self, names: Collection[str]) -> None:
        """Delete indices of events; those that are missing are ignored."""
        # By their names, as clusters refuse patterns if action.destructive_requires_name is set.
        for some in split_by_count(sorted(names), NAMES_PER_REQUEST):
            self._client.write("DELETE", ",".join(some), **_ALSO_HIDDEN)

    def read_versions(self) -> dict[str, int | None]:
        """Return the versions of the fields of all our indices, by name; None for one that Panko did not create."""
        found: Mapping[str, Any] = self._client.read(
            f"{self.events},{self.feed},{self.meta}",
            filter_path="*.mappings._meta.panko,*.settings.index.uuid",
            **_ALSO_HIDDEN,
        )
        return {name: each.get("mappings", {}).get("_meta", {}).get("panko") for name, each in sorted(found.items())}

    def add_fields(self, names: Collection[str]) -> None:
        """Add the fields of this version to indices of an earlier one."""
        shared = {self.feed: mapping.ENTRY_FIELDS, self.meta: mapping.META_FIELDS}
        for name in names:
            fields = shared.get(name)
            body = mapping.mappings(fields or mapping.EVENT_FIELDS, has_source=fields is not None)
            self._client.manage("PUT", f"{name}/_mapping", body)

    def _copies(self) -> tuple[int, int]:
        """Return the number of replicas of an index, and how many copies a write waits for."""
        replicas, active = self._options.replicas, self._options.wait_for_active_shards
        if replicas is None:
            nodes = self._client.read("_cluster/health")["number_of_data_nodes"]
            replicas = max(0, min(2, nodes - 1))
        return replicas, active or replicas // 2 + 1
