# SPDX-License-Identifier: Apache-2.0
"""A filter that does nothing: paste files of earlier versions have it in their pipelines."""

from collections.abc import Callable
from typing import Any


class WsgiMiddleware:
    """The place of the profiler in a pipeline."""

    @classmethod
    def factory(cls, global_conf: dict[str, str], **local_conf: str) -> Callable[[Any], Any]:
        """Return a filter that gives back the application as it is, whatever its options."""
        return lambda application: application
