# SPDX-License-Identifier: Apache-2.0
"""The Pecan application around a root controller."""

import threading
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

import pecan
import pecan.core
import pecan.hooks
import webob
import webob.exc

from panko.api.errors import fault_of
from panko.api.responses import respond_with_fault


class Request(webob.Request):
    """A request whose arguments stand in its address. A body is read only by what bounds its size."""

    json = None
    """What Pecan looks into for arguments of methods that have a body."""

    @property
    def params(self):
        """The arguments of the address."""
        return self.GET


class Application(pecan.Pecan):
    """A Pecan application that shares nothing with others in its process.

    :param root: dotted name of the root controller's class
    :param hooks: see :mod:`panko.api.hooks`
    """

    def __init__(self, root: str, hooks: Sequence[pecan.hooks.PecanHook]):
        super().__init__(
            root,
            hooks=list(hooks),
            force_canonical=False,
            guess_content_type_from_ext=False,
            request_cls=Request,
            response_cls=webob.Response,
            # A new one would take its locals away from the requests that another application is at.
            context_local_factory=lambda: pecan.core.state or threading.local(),
        )

    def __call__(self, environ, start_response):
        """Answer a request, whose address is text from here on."""
        if not _is_utf8(environ):
            fault = fault_of(webob.exc.HTTPBadRequest("The address is not UTF-8."))
            return respond_with_fault(fault, Request(environ))(environ, start_response)
        return super().__call__(environ, start_response)

    def route(self, req, node, path):
        """Return the method that answers, and its arguments; see :mod:`panko.api.routing`.

        Pecan's own lookup and call inspect signatures and make a class each time: a fifth of the time of a request, and
        garbage whose collection holds up others.
        """
        return node._route(path.split("/")[1:], req)

    def invoke_controller(self, controller, args, kwargs, state):
        """Have the method answer, by a whole response; the arguments in the address are its own business."""
        state.response = controller(*args)

    def _handle_empty_response_body(self, state):
        """Leave the response as it is.

        Pecan makes a 204 of an empty answer: it would read a streamed one into memory to see whether it is empty.
        """


def _is_utf8(environ: dict) -> bool:
    # WSGI has bytes as text in Latin-1.
    path = environ.get("PATH_INFO", "").encode("latin-1", "replace")
    query = environ.get("QUERY_STRING", "").encode("latin-1", "replace")
    try:
        path.decode()
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        return False
    return True
