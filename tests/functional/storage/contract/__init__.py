# SPDX-License-Identifier: Apache-2.0
"""The storage contract: tests that every driver that stores events must pass, one module per method or theme."""

from tests.functional.storage.contract.clear_expired_data import ClearExpiredData
from tests.functional.storage.contract.conditions import Conditions
from tests.functional.storage.contract.count_events import CountEvents
from tests.functional.storage.contract.event_types import EventTypes
from tests.functional.storage.contract.filters import Filters
from tests.functional.storage.contract.filters_at_scale import FiltersAtScale
from tests.functional.storage.contract.find_end import FindEnd
from tests.functional.storage.contract.get_events import GetEvents
from tests.functional.storage.contract.get_trait_values import GetTraitValues
from tests.functional.storage.contract.maintenance import Maintenance
from tests.functional.storage.contract.pages import Pages
from tests.functional.storage.contract.places import Places
from tests.functional.storage.contract.read_feed import ReadFeed
from tests.functional.storage.contract.record_events import RecordEvents
from tests.functional.storage.contract.scopes import Scopes
from tests.functional.storage.contract.streams import Streams
from tests.functional.storage.contract.validation import Validation


class StorageContract(
    Validation,
    RecordEvents,
    GetEvents,
    Filters,
    FiltersAtScale,
    Conditions,
    Scopes,
    Pages,
    Places,
    FindEnd,
    Streams,
    EventTypes,
    CountEvents,
    GetTraitValues,
    ReadFeed,
    ClearExpiredData,
    Maintenance,
):
    """The whole contract. The module of a subclass has a module-scoped fixture ``url``, the URL of an empty database.

    The fixture ``storage`` is a connection to that database, emptied before each test; ``other`` is a second
    connection to it.
    """
