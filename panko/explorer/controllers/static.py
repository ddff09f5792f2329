# SPDX-License-Identifier: Apache-2.0
"""The static files of the pages."""

import pecan
import webob
import webob.exc
from webob.static import FileApp

from panko.api.routing import Resource
from panko.explorer.controllers.decorators import expose_page
from panko.explorer.rendering import STATIC, static_url

MAX_AGE_SECONDS = 365 * 24 * 3600
"""How long browsers may keep a file; pages link to each with its hash."""


class StaticController(Resource):
    """The files in the directory ``static``."""

    @expose_page
    def get_one(self, name: str) -> webob.Response:
        """Return a file.

        :param name: its name
        :raises HTTPNotFound: if there is none
        """
        if name not in {each.name for each in STATIC.iterdir()}:
            raise webob.exc.HTTPNotFound
        response: webob.Response = pecan.request.get_response(FileApp(str(STATIC / name)))
        # During an upgrade, the page may come from another version than the file.
        is_same = pecan.request.path_qs == static_url(name)
        response.cache_control = f"public, max-age={MAX_AGE_SECONDS}, immutable" if is_same else "no-cache"
        return response
