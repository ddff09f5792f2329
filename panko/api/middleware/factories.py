# SPDX-License-Identifier: Apache-2.0
"""The parts of the pipeline in api_paste.ini that other packages make, each with this service's configuration.

Their own factories know no configuration but that of one file, which a paste file has to name.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

import oslo_middleware
import webob
from keystoneauth1.exceptions import ClientException
from keystonemiddleware import auth_token
from oslo_middleware.base import ConfigurableMiddleware
from oslo_middleware.healthcheck import opts as healthcheck_opts

from panko.api.basic_auth import BasicAuth
from panko.api.credentials import Keystone, Tokens
from panko.api.deployment import configuration
from panko.api.errors import RETRY_AFTER
from panko.api.keystone import KeystoneCalls, register_options
from panko.api.middleware import KEEP_ERRORS

DISABLING_FILE = "/etc/panko/healthcheck_disable"
"""Where this file is, load balancers are told not to use the server, unless the section [healthcheck] names another."""

WSGIApplication = Callable[[dict[str, Any], Callable], Any]
Filter = Callable[[WSGIApplication], WSGIApplication]


def _filter_of(middleware: type[ConfigurableMiddleware], global_config: dict[str, str]) -> Filter:
    conf = configuration(global_config)
    return lambda application: middleware(application, conf)


def cors(global_config: dict[str, str]) -> Filter:
    """Return the filter that answers browsers' questions about other origins, by the section [cors]."""
    return _filter_of(oslo_middleware.CORS, global_config)


def http_proxy_to_wsgi(global_config: dict[str, str]) -> Filter:
    """Return the filter that reads the headers of proxies, by the section [oslo_middleware]."""
    return _filter_of(oslo_middleware.HTTPProxyToWSGI, global_config)


def request_id(global_config: dict[str, str]) -> Filter:
    """Return the filter that gives each request an id."""
    return _filter_of(oslo_middleware.RequestId, global_config)


def authtoken(global_config: dict[str, str], **options: str) -> Filter:
    """Return the filter that asks Keystone about tokens, by the section [keystone_authtoken].

    :param options: options of that section that the paste file sets
    """
    conf = configuration(global_config)
    register_options(conf)
    return lambda application: AuthProtocol(application, {**options, "oslo_config_config": conf})


def basic_auth(global_config: dict[str, str]) -> Filter:
    """Return the filter that takes an application credential for a token, by [keystone_authtoken] and [api]."""
    conf = configuration(global_config)
    if not conf.api.basic_auth:
        return lambda application: application
    keystone = Keystone(conf)
    tokens = Tokens(keystone.issue)
    return lambda application: BasicAuth(application, tokens, keystone.calls)


class AuthProtocol(auth_token.AuthProtocol):
    """Asks Keystone about tokens. A request without one is told to bring one also while Keystone is away."""

    def __init__(self, app: WSGIApplication, conf: dict[str, Any]):
        super().__init__(app, conf)
        self._calls = KeystoneCalls(self._conf.get("http_connect_timeout"))
        self._next_lookup = 0.0
        # Not fetch_token, which takes most tokens from a cache.
        self._identity_server.verify_token = functools.partial(self._calls.run, self._identity_server.verify_token)

    def process_request(self, request: webob.Request) -> webob.Response | None:
        """Put who asks into the headers; the tokens of user and service share one deadline."""
        with self._calls.within_deadline():
            return super().process_request(request)

    @property
    def www_authenticate_uri(self) -> str:
        """Where to get a token; nothing if neither the configuration nor Keystone says."""
        if self._www_authenticate_uri or time.monotonic() < self._next_lookup:
            return self._www_authenticate_uri or ""
        try:
            return self._calls.run(lambda: super(AuthProtocol, self).www_authenticate_uri) or ""
        except ClientException:
            # Nobody needs a token to get here: not every request may wait for a silent Keystone.
            self._next_lookup = time.monotonic() + RETRY_AFTER
            return ""


def healthcheck(global_config: dict[str, str]) -> WSGIApplication:
    """Return the application that tells a load balancer whether to use this server, by the section [healthcheck]."""
    conf = configuration(global_config)
    conf.register_opts(healthcheck_opts.HEALTHCHECK_OPTS, group="healthcheck")
    conf.register_opts(healthcheck_opts.DISABLE_BY_FILE_OPTS, group="healthcheck")
    conf.set_default("backends", ["disable_by_file"], group="healthcheck")
    conf.set_default("disable_by_file_path", DISABLING_FILE, group="healthcheck")
    application = oslo_middleware.Healthcheck(None, conf)

    def answer(environ, start_response):
        environ[KEEP_ERRORS] = True
        return application(environ, start_response)

    return answer
