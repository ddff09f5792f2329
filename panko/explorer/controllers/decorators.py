# SPDX-License-Identifier: Apache-2.0
"""The decorator of the explorer's controllers' methods."""

from collections.abc import Callable
from typing import Any

from panko.api.routing import Endpoint


def expose_page(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method respond to requests of browsers.

    Its arguments are the names in the path. It reads the query string or the form itself, and returns the response.
    """
    method.endpoint = Endpoint(  # type: ignore[attr-defined] # This makes it an EndpointMethod.
        lambda names, request: {"name": names[0]} if names else {}, None, ("text/html", "text/event-stream")
    )
    return method
