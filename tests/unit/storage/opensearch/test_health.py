# SPDX-License-Identifier: Apache-2.0
"""What an operator should change about a cluster, besides what tests with a cluster show."""

import pytest
from oslo_config import cfg

from panko.opts import list_opts
from panko.storage.opensearch.health import find_problems


class Cluster:
    """A healthy cluster of one node.

    :param settings: what it says about its settings
    """

    prefix = "panko"

    def __init__(self, settings):
        self._settings = settings

    def read(self, path, **parameters):
        """Return the answer to a request."""
        if path.startswith("_cluster/health"):
            return {"unassigned_shards": 0, "status": "green", "number_of_data_nodes": 1, "number_of_nodes": 1}
        return self._settings if path == "_cluster/settings" else {}


@pytest.fixture
def options():
    """Return the options of the driver."""
    conf = cfg.ConfigOpts()
    for group, some in list_opts():
        conf.register_opts(some, group)
    conf([])
    return conf.opensearch


@pytest.mark.parametrize(
    ("settings", "is_problem"),
    [
        ({"defaults": {"search": {"allow_expensive_queries": "true"}}}, False),
        ({"defaults": {"search": {"allow_expensive_queries": "false"}}}, True),
        (
            {
                "persistent": {"search": {"allow_expensive_queries": "false"}},
                "defaults": {"search": {"allow_expensive_queries": "true"}},
            },
            True,
        ),
        (
            {
                "transient": {"search": {"allow_expensive_queries": "true"}},
                "persistent": {"search": {"allow_expensive_queries": "false"}},
            },
            False,
        ),
        ({}, False),
    ],
)
def test_refusal_of_expensive_queries_is_a_problem(options, settings, is_problem):
    found = list(find_problems(Cluster(settings), options))
    assert bool(found) == is_problem
    assert all("search.allow_expensive_queries of the cluster is false" in each for each in found)
