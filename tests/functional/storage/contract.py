# SPDX-License-Identifier: Apache-2.0
"""The storage contract: what every driver that keeps events does, theme by theme."""

from tests.functional.storage.behaviours.accepting import Accepting
from tests.functional.storage.behaviours.counting import Counted
from tests.functional.storage.behaviours.expiring import Expiring
from tests.functional.storage.behaviours.extremes import Extremes
from tests.functional.storage.behaviours.keeping import Keeping
from tests.functional.storage.behaviours.naming import Naming
from tests.functional.storage.behaviours.paging import Paging
from tests.functional.storage.behaviours.reading import Reading
from tests.functional.storage.behaviours.scoping import Scoping
from tests.functional.storage.behaviours.sifting import Sifting
from tests.functional.storage.behaviours.streaming import Streaming
from tests.functional.storage.behaviours.tending import Tending
from tests.functional.storage.behaviours.valuing import Valued


class StorageContract(
    Accepting,
    Keeping,
    Reading,
    Sifting,
    Scoping,
    Paging,
    Streaming,
    Naming,
    Counted,
    Valued,
    Expiring,
    Tending,
    Extremes,
):
    """All behaviours; the module of a subclass has a fixture ``url`` of its scope: the URL of an empty database.

    ``storage`` is a connection to that database, empty at the beginning of each test, ``other`` a second one to the
    same database.
    """
