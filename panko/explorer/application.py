# SPDX-License-Identifier: Apache-2.0
"""The explorer as a WSGI application."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import oslo_middleware
import webob

from panko.api.hooks import ContextHook, ErrorHook
from panko.api.middleware.factories import Deployment
from panko.api.pecan_app import PecanApplication
from panko.explorer.rendering import TEMPLATES, PageRenderer

ROOT = "panko.explorer.controllers.root.ExplorerController"

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Frame:
    """Adds the security headers to each response.

    :param application: the rest of the explorer
    """

    def __init__(self, application: WSGIApplication):
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        response = webob.Request(environ).get_response(self._application)
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response(environ, start_response)


def make_explorer(deployment: Deployment, is_noauth: bool) -> WSGIApplication:
    """Return the application of everything below the explorer's path.

    :param is_noauth: whether requests are answered without Keystone
    """
    context = ContextHook(deployment.conf, deployment.policy, deployment.storage, deployment.stream_slots)
    application: WSGIApplication = PecanApplication(
        ROOT,
        [context, ErrorHook()],
        template_path=str(TEMPLATES),
        custom_renderers={"page": PageRenderer},
    )
    application = oslo_middleware.RequestId(application, deployment.conf)
    return Frame(oslo_middleware.HTTPProxyToWSGI(application, deployment.conf))
