# SPDX-License-Identifier: Apache-2.0
"""The module panko.api.controllers.v2.events has all that its documentation page names."""

import datetime
import inspect

import pecan.rest
import pytest
import wsme.types
from wsme.rest.json import fromjson, tojson

from panko.api.controllers.v2 import base, events

TYPES = {
    "Event": (base.Base, ["event_type", "generated", "message_id", "raw", "traits"]),
    "EventQuery": (base.Query, ["field", "op", "type", "value"]),
    "Trait": (base.Base, ["name", "type", "value"]),
    "TraitDescription": (base.Base, ["name", "type"]),
}
CONTROLLERS = {
    "EventTypesController": {"get_all": [], "get_one": ["event_type"]},
    "EventsController": {"get_all": ["q", "limit", "sort", "marker"], "get_one": ["message_id"]},
    "TraitsController": {"get_all": ["event_type"], "get_one": ["event_type", "trait_name"]},
}
OPTIONAL = {"q", "limit", "sort", "marker"}


@pytest.mark.parametrize("name", TYPES)
def test_a_type_has_its_base_attributes_and_sample(name):
    documented_base, attributes = TYPES[name]
    documented = getattr(events, name)
    assert issubclass(documented, documented_base)
    assert issubclass(documented, wsme.types.DynamicBase)
    assert sorted(attribute.name for attribute in wsme.types.list_attributes(documented)) == attributes
    assert isinstance(documented.sample(), documented)
    assert inspect.getdoc(documented)


@pytest.mark.parametrize("name", TYPES)
def test_a_sample_survives_the_wire(name):
    documented = getattr(events, name)
    sample = documented.sample()
    form = tojson(documented, sample)
    assert all(form.values())
    again = tojson(documented, fromjson(documented, form))
    assert {**again, "raw": None} == {**form, "raw": None}


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_controller_has_its_methods_with_their_arguments(name):
    documented = getattr(events, name)
    assert issubclass(documented, pecan.rest.RestController)
    assert inspect.getdoc(documented)
    for method, arguments in CONTROLLERS[name].items():
        _, *parameters = inspect.signature(getattr(documented, method)).parameters.values()
        assert [parameter.name for parameter in parameters][: len(arguments)] == arguments
        for parameter in parameters:
            needed = parameter.name in arguments and parameter.name not in OPTIONAL
            assert parameter.default is (parameter.empty if needed else None)
        assert inspect.getdoc(getattr(documented, method))
    assert set(dir(documented)) >= set(CONTROLLERS[name])


def test_traits_lie_below_event_types():
    assert isinstance(events.EventTypesController.traits, events.TraitsController)


def test_properties_are_properties():
    assert isinstance(inspect.getattr_static(events.Event, "traits"), property)
    assert isinstance(inspect.getattr_static(events.EventQuery, "op"), property)


def test_traits_can_be_read_more_than_once():
    event = events.Event(message_id="1", traits=(events.Trait(name=name) for name in "ab"))
    assert [trait.name for trait in event.traits] == ["a", "b"]
    assert [trait.name for trait in event.get_traits()] == ["a", "b"]
    event.set_traits([])
    assert event.traits == []


def test_an_event_without_traits_has_an_empty_list():
    assert events.Event().traits == []


def test_a_query_compares_for_equality_with_text_by_default():
    query = events.EventQuery(field="a", value="b")
    assert (query.op, query.type) == ("eq", "")
    assert events.EventQuery(op="").op == "eq"
    assert events.EventQuery(op="ge").op == "ge"


def test_the_types_of_a_trait_default_to_string():
    assert events.Trait(name="a").type == "string"
    assert events.TraitDescription(name="a").type == "string"


@pytest.mark.parametrize("attribute", ["field", "op", "type", "value"])
def test_a_querys_attributes_are_texts(attribute):
    with pytest.raises(wsme.exc.InvalidInput, match=attribute):
        events.EventQuery(**{attribute: 5})


def test_attributes_can_be_added_to_a_type():
    class More(events.Trait):
        """A type of this test."""

    More.add_attributes(unit=str)
    assert More(name="a", unit="GB").unit == "GB"


def test_generated_is_a_time_and_raw_any_json():
    event = events.Event(generated=datetime.datetime(2024, 1, 1), raw={"a": [1, None]})
    assert tojson(events.Event, event) == {"traits": [], "generated": "2024-01-01T00:00:00", "raw": '{"a":[1,null]}'}
