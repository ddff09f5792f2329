# SPDX-License-Identifier: Apache-2.0
"""The storage contract: what every driver that keeps events does, theme by theme."""

from tests.functional.storage.contract.event_counts import EventCounts
from tests.functional.storage.contract.event_types import EventTypes
from tests.functional.storage.contract.expiry import Expiry
from tests.functional.storage.contract.extremes import Extremes
from tests.functional.storage.contract.filters import Filters
from tests.functional.storage.contract.maintenance import Maintenance
from tests.functional.storage.contract.pages import Pages
from tests.functional.storage.contract.reads import Reads
from tests.functional.storage.contract.scopes import Scopes
from tests.functional.storage.contract.streams import Streams
from tests.functional.storage.contract.trait_values import DistinctTraitValues
from tests.functional.storage.contract.validation import Validation
from tests.functional.storage.contract.writes import Writes


class StorageContract(
    Validation,
    Writes,
    Reads,
    Filters,
    Scopes,
    Pages,
    Streams,
    EventTypes,
    EventCounts,
    DistinctTraitValues,
    Expiry,
    Maintenance,
    Extremes,
):
    """All behaviours; the module of a subclass has a fixture ``url`` of its scope: the URL of an empty database.

    ``storage`` is a connection to that database, empty at the beginning of each test, ``other`` a second one to the
    same database.
    """
