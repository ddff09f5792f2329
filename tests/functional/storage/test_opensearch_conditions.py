# SPDX-License-Identifier: Apache-2.0
"""Trees of conditions on OpenSearch: what the cluster decides, and how much is read for the rest."""

from collections.abc import Callable

import pytest

from panko.storage.aggregates import CountQuery
from panko.storage.conditions import And, Comparison, Not, Or, Pattern, Subject
from panko.storage.errors import ScanTimeout
from panko.storage.filters import EventFilter, Page
from panko.storage.models import TraitType
from panko.storage.opensearch.documents import MAX_SHAPE_BYTES
from panko.storage.opensearch.page_reader import MAX_READ_HITS
from tests.functional.storage.builders import at, event, found, trait
from tests.functional.storage.plain_conditions import meets_condition
from tests.servers import Server
from tests.servers.opensearch import OpenSearch

TEXT, INTEGER = TraitType.TEXT, TraitType.INTEGER
COMPUTE = Comparison(Subject.EVENT_TYPE, TEXT, "eq", (Pattern(("compute.", "")),))
NOTHING = Comparison("x", TEXT, "contains", ("nothing",))
NEWEST = Page(100, sort=(("generated", "desc"),))


@pytest.fixture(scope="module")
def url(create_database: Callable[[Server], str], opensearch_server: OpenSearch) -> str:
    """The URL of an empty prefix."""
    return create_database(opensearch_server)


@pytest.fixture
def requests(storage, monkeypatch):
    """Return the bodies of the searches for pages."""
    bodies, search = [], storage._pages._search

    def recorded(body):
        bodies.append(body)
        return search(body)

    monkeypatch.setattr(storage._pages, "_search", recorded)
    return bodies


def has(name, type_=TEXT):
    return Comparison(name, type_, "exists")


def count(storage, condition, group_by="event_type"):
    rows = storage.count_events(EventFilter(condition=condition), CountQuery(None, group_by))
    return {row.group: row.events for row in rows}


def test_cluster_counts_what_clauses_decide(storage, requests):
    storage.record_events(
        event(
            f"m{number}",
            trait("a", "x"),
            *[trait("b", number)] * (number % 2),
            type_=f"{name}.t",
            generated=at(hours=number),
        )
        for number, name in enumerate(["compute", "image", "compute", "Compute", "port"])
    )
    assert count(storage, COMPUTE) == {"compute.t": 2}
    assert count(storage, Not(COMPUTE)) == {"Compute.t": 1, "image.t": 1, "port.t": 1}
    assert count(storage, Comparison(Subject.EVENT_TYPE, TEXT, "contains", ("COMPUTE",))) == {
        "Compute.t": 1,
        "compute.t": 2,
    }
    assert count(storage, Or((has("b", INTEGER), COMPUTE))) == {"Compute.t": 1, "compute.t": 2, "image.t": 1}
    assert count(storage, And((has("a"), Not(has("b", INTEGER)))), None) == {None: 3}
    assert requests == []
    assert count(storage, Comparison("b", INTEGER, "ge", (1,))) == {"Compute.t": 1, "image.t": 1}
    assert requests


def test_events_whose_names_have_no_field_are_read_to_be_counted(storage, requests):
    names = [f"{number:04}{'n' * 240}" for number in range(MAX_SHAPE_BYTES // 200)]
    many = [trait(name, 1) for name in names]
    storage.record_events([event("a", trait("x", "1")), event("b", *many), event("c", *many, trait("x", "1"))])
    for condition, names in ((has("x"), {"a", "c"}), (Not(has("x")), {"b"})):
        assert set(found(storage, condition=condition)) == names
        assert count(storage, condition, None) == {None: len(names)}
    assert requests


@pytest.mark.parametrize("name", ['"', "\\", "*", "?", "x*", "ä", '",1],["y', "[", "x\\", "\n"], ids=ascii)
def test_traits_are_found_by_any_name(storage, name):
    """Not as a part of another name, nor by a wildcard in it."""
    others = ["x", "xy", '\\"', "\\\\", f"{name}x", f"x{name}", "**", "??"]
    events = [
        event(f"m{i}", trait(each, "1"), generated=at(hours=i)) for i, each in enumerate(dict.fromkeys([name, *others]))
    ]
    storage.record_events(events)
    for condition in (has(name), Not(has(name)), has(name, INTEGER), Comparison(name, TEXT, "ne", ("2",))):
        assert found(storage, condition=condition) == [e.message_id for e in events if meets_condition(e, condition)]
        assert count(storage, condition, None).get(None, 0) == len(found(storage, condition=condition))


def test_letters_but_a_to_z_are_not_alike(storage):
    """Kelvin's sign and the long s, whose lower and upper cases are letters of ASCII."""
    types = ["k.s", "K.S", "\u212a.s", "k.\u017f", "ß", "ẞ", "i", "\u0130", "\u0131"]
    storage.record_events(event(f"m{i}", type_=each, generated=at(hours=i)) for i, each in enumerate(types))
    for wanted, indices in (("k.s", [0, 1]), ("ß", [4]), ("I", [6]), ("\u212a", [2])):
        condition = Comparison(Subject.EVENT_TYPE, TEXT, "contains", (wanted,))
        assert found(storage, condition=condition) == [f"m{i}" for i in indices]


def test_hopeless_search_reads_many_events_at_once(storage, requests):
    storage.record_events(event(f"m{i:04}", trait("x", "some"), generated=at(seconds=i)) for i in range(4000))
    assert found(storage, condition=NOTHING, pagination=NEWEST) == []
    assert len(requests) <= 6
    assert all(body["size"] <= MAX_READ_HITS + 1 for body in requests)
    requests.clear()
    assert found(storage, condition=NOTHING, pagination=Page(100)) == []
    assert len(requests) <= 12


def test_events_without_the_trait_are_not_read(storage, requests):
    storage.record_events(
        event(f"m{i:04}", *[trait("x", "nothing")] * (i == 7), generated=at(seconds=i)) for i in range(3000)
    )
    assert found(storage, condition=NOTHING, pagination=NEWEST) == ["m0007"]
    assert len(requests) == 1


def test_hopeless_search_ends_at_its_bound(storage):
    """Whatever is asked for; without a bound, it ends at the last event."""
    storage.record_events(event(f"m{i:04}", trait("x", "some"), generated=at(seconds=i)) for i in range(300))
    reads = [
        lambda given: list(storage.get_events(given, NEWEST)),
        lambda given: list(storage.get_documents(given)),
        lambda given: storage.find_end(given, NEWEST),
        lambda given: list(storage.count_events(given, CountQuery())),
        lambda given: storage.get_trait_values("x", given, 100),
    ]
    for read in reads:
        with pytest.raises(ScanTimeout, match="Narrow the time range"):
            read(EventFilter(condition=NOTHING, scan_seconds=0.0))
        read(EventFilter(condition=NOTHING, scan_seconds=600))
        read(EventFilter(condition=NOTHING))
