# SPDX-License-Identifier: Apache-2.0
"""How often a process of our own looks for garbage that refers to itself."""

import gc

STORING = 100_000, 20, 20
"""For processes that store batches: objects made and not yet freed at which the young are looked at; how often that is,
until older ones are too.

A batch of events is tens of thousands of objects, nearly all of which are freed by the count of their references. By
Python's own thresholds the collector ran, in vain, for a quarter of the time that it takes to store them.
"""

SERVING = 5_000, 20, 20
"""For processes that answer requests.

Each request leaves some objects that refer to each other. Freeing 100,000 of them at once stops the process for 100 ms.
"""


def collect_rarely(thresholds: tuple[int, int, int]) -> None:
    """Have this process look for garbage rarely, and never among what it was started with.

    For processes that serve or store; what another program runs, such as the publisher, leaves its settings alone.
    """
    gc.freeze()
    gc.set_threshold(*thresholds)
