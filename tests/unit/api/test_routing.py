# SPDX-License-Identifier: Apache-2.0
"""Paths lead to the methods of controllers, and to nothing else."""

import pytest
import webob.exc

from panko.api.controllers.v2.root import V2Controller


def find(path, method="GET"):
    """Return the name of the method for a path, of which controller, and the names in the path."""
    found, names = V2Controller().find_method(path.split("/"), method)
    return type(found.__self__).__name__, found.__name__, names


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ("V2Controller", "get_all", [])),
        ("events", ("EventsController", "get_all", [])),
        ("events/", ("EventsController", "get_all", [])),
        ("events/1", ("EventsController", "get_one", ["1"])),
        ("events/events", ("EventsController", "get_one", ["events"])),
        ("event_types/a/traits", ("TraitsController", "get_all", ["a"])),
        ("event_types/traits", ("EventTypesController", "get_one", ["traits"])),
        ("event_types/a/traits/b/", ("TraitsController", "get_one", ["a", "b"])),
        ("event_types/traits/traits/values/values", ("TraitValuesController", "get_all", ["traits", "values"])),
    ],
)
def test_a_path_leads_to_a_method_with_the_names_in_it(path, expected):
    assert find(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        *("nothing", "events/1/2", "events/1/traits", "capabilities/x", "__class__", "events/1/__class__", "get_all"),
        # There are no members of the root.
        *("x/events", "x/events/1", "x/event_types/a/traits", "/events"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_other_paths_are_not_found(path, method):
    with pytest.raises(webob.exc.HTTPNotFound):
        find(path, method)


@pytest.mark.parametrize(
    ("path", "allowed"), [("events", "GET, HEAD, POST"), ("events/1", "GET, HEAD"), ("event_types", "GET, HEAD")]
)
def test_another_method_is_told_which_ones_are_allowed(path, allowed):
    with pytest.raises(webob.exc.HTTPMethodNotAllowed) as raised:
        find(path, "DELETE")
    assert raised.value.headers["Allow"] == allowed
