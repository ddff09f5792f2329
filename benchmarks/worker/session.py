# SPDX-License-Identifier: Apache-2.0
"""Storage, application and publisher of the installed panko, each made on first use."""

import functools
import os
import select
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from panko import service, storage


class Session:
    """The objects to measure, configured by the environment: see :mod:`benchmarks.sides`."""

    @functools.cached_property
    def conf(self) -> Any:
        """The configuration of the service, only from the environment."""
        return service.prepare_service(argv=["benchmarks"], config_files=[])

    @functools.cached_property
    def connection(self) -> Any:
        """The storage driver."""
        return storage.get_connection_from_config(self.conf)

    @functools.cached_property
    def application(self) -> Callable:
        """The whole API; the headers of a request identify the caller."""
        from panko.api import app

        paste_file = os.environ.get("BENCHMARK_PASTE_FILE")
        if paste_file:
            self.conf.set_override("api_paste_config", paste_file)
        return app.load_app(self.conf, appname="panko+noauth")

    @functools.cached_property
    def publisher(self) -> Any:
        """The publisher that Ceilometer uses."""
        from panko.publisher.database import DatabasePublisher

        return DatabasePublisher(self.conf, urllib.parse.urlparse("panko://"))


def until_told(work: Callable[[], Iterator[dict]]) -> Iterator[dict]:
    """Repeat some work, and yield what it yields, until the next line of input.

    That line, an empty command, is consumed.
    """
    while not select.select([sys.stdin], [], [], 0)[0]:
        yield from work()
    sys.stdin.readline()
