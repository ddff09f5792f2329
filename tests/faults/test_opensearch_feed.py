# SPDX-License-Identifier: Apache-2.0
"""The feed of OpenSearch skips nothing and repeats nothing, whatever happens to nodes, writers and readers.

``PANKO_TEST_FEED_ROUNDS`` is the number of rounds of each test (2).
"""

import os

import pytest

from tests.faults.feed_rounds import Feed
from tests.faults.test_feed import feed_on

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("PANKO_TEST_FEED_ROUNDS", "2"))


def run_rounds(feed: Feed) -> None:
    for number in range(ROUNDS):
        feed.run_round(number)
        print(dict(feed.totals), flush=True)


def test_each_reader_gets_each_event_once_in_the_same_order(opensearch_url, tmp_path):
    """While writers, sequencers, expirers and readers are killed."""
    with feed_on([opensearch_url], tmp_path) as feed:
        run_rounds(feed)
