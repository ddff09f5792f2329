# SPDX-License-Identifier: Apache-2.0
"""The WSGI environment of a request, made of the scope of ASGI."""

import sys
import urllib.parse
from typing import Any


def has_body(environ: dict[str, Any]) -> bool:
    """Return whether a request has a body, as its headers say."""
    return environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ


def make_environ(scope: dict[str, Any], multithread: bool) -> dict[str, Any]:
    """Return the WSGI environment of a request, without its body."""
    path, query = scope["raw_path"], scope["query_string"].decode("latin-1")
    host, port = (scope["server"] or ("", 0))[:2]
    client = scope["client"]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": urllib.parse.unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": path.decode("latin-1") + (query and f"?{query}"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0] if client else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
