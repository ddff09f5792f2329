# SPDX-License-Identifier: Apache-2.0
"""A paste filter that does nothing, kept for paste files of earlier versions."""

from collections.abc import Callable
from typing import Any


class WsgiMiddleware:
    """Stands in for the profiler of Panko 10."""

    @classmethod
    def factory(cls, global_conf: dict[str, str], **local_conf: str) -> Callable[[Any], Any]:
        """Return a filter that returns the application unchanged; all options are ignored."""
        return lambda application: application
