# SPDX-License-Identifier: Apache-2.0
"""The API for other WSGI servers: ``panko.wsgi.api:application``."""

import threading
from collections.abc import Callable
from typing import Any

from panko.api import app


class LazyApplication:
    """An application that is made on the first request, in the process that serves it.

    :param make: returns the application; if it raises an exception, the next request tries again
    """

    def __init__(self, make: Callable[[], Callable]):
        self._make = make
        self._lock = threading.Lock()
        self._application: Callable | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Any:
        """Answer a request."""
        with self._lock:
            if self._application is None:
                self._application = self._make()
        return self._application(environ, start_response)


# [], as the command line of the process is that of the WSGI server.
application = LazyApplication(lambda: app.build_wsgi_app([]))
