# SPDX-License-Identifier: Apache-2.0
"""What a driver does not define, the contract answers for it."""

import datetime

import pytest
from oslo_config import cfg

from panko.storage import base
from panko.storage.aggregates import CountQuery, TraitValues
from panko.storage.errors import NotSupported
from panko.storage.filters import EventFilter


class Plain(base.Connection):
    """A driver that defines what it must, and nothing else."""

    CAPABILITIES = {"events:query:simple": True}

    def __init__(self, url, conf): ...

    def upgrade(self): ...

    def clear(self): ...

    def record_events(self, events):
        return base.Recorded()

    def get_events(self, event_filter, pagination=None):
        return iter(())

    def get_event_types(self, scope=base.EVERYTHING):
        return iter(())

    def get_trait_types(self, event_type, scope=base.EVERYTHING):
        return iter(())

    def get_traits(self, event_type, trait_type=None, scope=base.EVERYTHING):
        return iter(())

    def clear_expired_data(self, ttl, max_count=None, *, now=None):
        return 0


class Countable(Plain):
    """A driver that also counts."""

    def count_events(self, event_filter, count_query):
        return iter(())


class Complete(Countable):
    """A driver with every method, one of them inherited."""

    def get_trait_values(self, trait_name, event_filter, newest):
        return TraitValues((), 0, complete=True)

    def read_feed(self, requests):
        return []


@pytest.mark.parametrize(
    ("driver", "missing"),
    [
        (Plain, {base.COUNT_CAPABILITY, base.VALUES_CAPABILITY, base.FEED_CAPABILITY}),
        (Countable, {base.VALUES_CAPABILITY, base.FEED_CAPABILITY}),
        (Complete, set()),
    ],
)
def test_capabilities_name_what_the_driver_does_not_define(driver, missing):
    capabilities = driver("plain://", cfg.ConfigOpts()).get_capabilities()
    assert capabilities == {"events:query:simple": True, **dict.fromkeys(missing, False)}


def test_what_a_driver_does_not_define_is_not_supported():
    storage = Plain("plain://", cfg.ConfigOpts())
    with pytest.raises(NotSupported, match=base.COUNT_CAPABILITY):
        storage.count_events(EventFilter(), CountQuery())
    with pytest.raises(NotSupported, match=base.VALUES_CAPABILITY):
        storage.get_trait_values("x", EventFilter(), 1)
    with pytest.raises(NotSupported, match=base.FEED_CAPABILITY):
        storage.read_feed([])
    with pytest.raises(NotSupported, match=base.FEED_CAPABILITY):
        storage.get_secret()


def test_a_driver_drops_nothing_at_once_by_default():
    assert Plain("plain://", cfg.ConfigOpts()).drop_expired(0, now=datetime.datetime.max) == 0
