# SPDX-License-Identifier: Apache-2.0
"""Factories that api_paste.ini names: they give each part the service's configuration.

The factories of other packages read only one configuration file, which a paste file has to name.
"""

import contextvars
import functools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import oslo_middleware
import webob
from keystoneauth1.exceptions import ClientException
from keystonemiddleware import auth_token
from oslo_config import cfg
from oslo_middleware.base import ConfigurableMiddleware
from oslo_middleware.healthcheck import opts as healthcheck_opts

from panko import service, storage
from panko.api.errors import RETRY_AFTER_SECONDS
from panko.api.keystone import Keystone, KeystoneCalls, TokenCache, register_options
from panko.api.middleware.basic_auth import BasicAuth
from panko.api.policy import Policy
from panko.api.response import KEEP_ERROR
from panko.storage.base import Connection

CONFIG_FILE = "oslo_config_file"
"""Name under which filters of other packages find the service's configuration file in PasteDeploy's global options."""

HEALTHCHECK_DISABLE_FILE = "/etc/panko/healthcheck_disable"
"""While this file exists, the health check fails, so that load balancers avoid the server.

[healthcheck] can name another file.
"""

Filter = Callable[[WSGIApplication], WSGIApplication]


class Deployment:
    """What the parts of one application share; each is created when it is first used.

    :param conf: the service's configuration
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self.conf = conf

    @functools.cached_property
    def policy(self) -> Policy:
        """The application's policy; raises InvalidConfiguration if it cannot be read."""
        return Policy(self.conf)

    @functools.cached_property
    def storage(self) -> Connection:
        """The application's storage driver; raises StorageError if the driver cannot be used."""
        return storage.get_connection_from_config(self.conf)

    @functools.cached_property
    def stream_slots(self) -> threading.Semaphore:
        """Limits how many responses are streamed at once to half of the threads, so that others stay free."""
        return threading.BoundedSemaphore(max(1, self.conf.api.threads // 2))

    def close(self) -> None:
        """Close all connections to the database; a later request opens new ones."""
        if "storage" in vars(self):
            self.storage.close()


# PasteDeploy passes only strings to the factories.
deployment_being_loaded: contextvars.ContextVar[Deployment] = contextvars.ContextVar("deployment_being_loaded")


def current_deployment(global_config: Mapping[str, str]) -> Deployment:
    """Return the deployment that is being loaded, for a factory of one of its parts.

    If a paste file is loaded without :func:`panko.api.app.load_app`, each part gets its own deployment, with the
    configuration file that the paste file names, or those that oslo.config finds.
    """
    deployment = deployment_being_loaded.get(None)
    if deployment is not None:
        return deployment
    file = global_config.get(CONFIG_FILE)
    return Deployment(service.prepare_service([], config_files=[file] if file else None))


def cors(global_config: Mapping[str, str]) -> Filter:
    """Return the filter for cross-origin requests of browsers, configured in [cors]."""
    return _make_filter(oslo_middleware.CORS, global_config)


def http_proxy_to_wsgi(global_config: Mapping[str, str]) -> Filter:
    """Return the filter that reads the headers of proxies, configured in [oslo_middleware]."""
    return _make_filter(oslo_middleware.HTTPProxyToWSGI, global_config)


def request_id(global_config: Mapping[str, str]) -> Filter:
    """Return the filter that gives each request an id."""
    return _make_filter(oslo_middleware.RequestId, global_config)


def _make_filter(middleware: type[ConfigurableMiddleware], global_config: Mapping[str, str]) -> Filter:
    conf = current_deployment(global_config).conf
    return lambda application: middleware(application, conf)


def authtoken(global_config: Mapping[str, str], **options: str) -> Filter:
    """Return the filter that validates tokens, configured in [keystone_authtoken].

    :param options: options of that section that the paste file sets
    """
    conf = current_deployment(global_config).conf
    register_options(conf)
    return lambda application: AuthProtocol(application, {**options, "oslo_config_config": conf})


def basic_auth(global_config: Mapping[str, str]) -> Filter:
    """Return the filter that accepts application credentials, configured in [keystone_authtoken] and [api]."""
    conf = current_deployment(global_config).conf
    if not conf.api.basic_auth:
        return lambda application: application
    keystone = Keystone(conf)
    tokens = TokenCache(keystone.issue)
    return lambda application: BasicAuth(application, tokens, keystone.calls)


class AuthProtocol(auth_token.AuthProtocol):
    """Validates tokens. A request without one gets a 401 even while Keystone is unreachable."""

    def __init__(self, app: WSGIApplication, conf: dict[str, Any]):
        super().__init__(app, conf)
        self._calls = KeystoneCalls(self._conf.get("http_connect_timeout"))
        self._next_lookup = 0.0
        # Not fetch_token, which takes most tokens from a cache.
        self._identity_server.verify_token = functools.partial(self._calls.run, self._identity_server.verify_token)

    def process_request(self, request: webob.Request) -> webob.Response | None:
        """Set the identity headers; the tokens of user and service share one deadline."""
        with self._calls.within_deadline():
            return super().process_request(request)

    @property
    def www_authenticate_uri(self) -> str:
        """Where to get a token; empty if neither the configuration nor Keystone tells."""
        if self._www_authenticate_uri or time.monotonic() < self._next_lookup:
            return self._www_authenticate_uri or ""
        try:
            return self._calls.run(lambda: super(AuthProtocol, self).www_authenticate_uri) or ""
        except ClientException:
            # Requests without a token get here, too: not every one may wait for a silent Keystone.
            self._next_lookup = time.monotonic() + RETRY_AFTER_SECONDS
            return ""


def healthcheck(global_config: Mapping[str, str]) -> WSGIApplication:
    """Return the application that tells a load balancer whether to use this server, configured in [healthcheck]."""
    conf = current_deployment(global_config).conf
    conf.register_opts(healthcheck_opts.HEALTHCHECK_OPTS, group="healthcheck")
    conf.register_opts(healthcheck_opts.DISABLE_BY_FILE_OPTS, group="healthcheck")
    conf.set_default("backends", ["disable_by_file"], group="healthcheck")
    conf.set_default("disable_by_file_path", HEALTHCHECK_DISABLE_FILE, group="healthcheck")
    application = oslo_middleware.Healthcheck(None, conf)

    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[KEEP_ERROR] = True
        return application(environ, start_response)

    return respond
