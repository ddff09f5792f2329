# SPDX-License-Identifier: Apache-2.0
"""The parts of the pipeline in api_paste.ini that other packages make, each with this service's configuration.

Their own factories know no configuration but that of one file, which a paste file has to name.
"""

from collections.abc import Callable
from typing import Any

import oslo_middleware
from keystoneauth1.exceptions import ClientException
from keystonemiddleware import auth_token
from oslo_middleware.base import ConfigurableMiddleware
from oslo_middleware.healthcheck import opts as healthcheck_opts

from panko.api.basic_auth import BasicAuth
from panko.api.credentials import Keystone, Tokens
from panko.api.deployment import configuration
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
    return lambda application: AuthProtocol(application, {**options, "oslo_config_config": conf})


def basic_auth(global_config: dict[str, str]) -> Filter:
    """Return the filter that takes an application credential for a token, by [keystone_authtoken] and [api]."""
    conf = configuration(global_config)
    if not conf.api.basic_auth:
        return lambda application: application
    tokens = Tokens(Keystone(conf).issue)
    return lambda application: BasicAuth(application, tokens)


class AuthProtocol(auth_token.AuthProtocol):
    """Asks Keystone about tokens. A request without one is told to bring one also while Keystone is away."""

    @property
    def www_authenticate_uri(self) -> str:
        """Where to get a token; nothing, where neither the configuration nor Keystone says."""
        try:
            return super().www_authenticate_uri
        except ClientException:
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
