# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: assembled by PasteDeploy from the parts that api_paste.ini names."""

import contextvars
import importlib.resources
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_config import cfg
from oslo_log import log
from paste import deploy

from panko import service
from panko.api import keystone
from panko.api.errors import InvalidConfiguration
from panko.api.hooks import ContextHook, ErrorHook
from panko.api.middleware.errors import ErrorMiddleware
from panko.api.middleware.factories import CONFIG_FILE, Deployment, current_deployment, deployment_being_loaded
from panko.api.pecan_app import PecanApplication
from panko.explorer.application import is_explorers, make_explorer
from panko.storage.errors import StorageError

LOG = log.getLogger(__name__)

PASTE_FILE = "api_paste.ini"

NOAUTH = "panko+noauth"
"""The application of the paste file that trusts identity headers; all others ask Keystone."""


class Application(ErrorMiddleware):
    """The whole API as a WSGI application.

    :param pipeline: the application that PasteDeploy returned
    :param explorer: the application of all paths of the explorer; None: they belong to the pipeline
    :param deployment: what its parts share
    """

    def __init__(self, pipeline: WSGIApplication, explorer: WSGIApplication | None, deployment: Deployment):
        super().__init__(pipeline)
        self._explorer = explorer
        self.close = deployment.close

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        if self._explorer and is_explorers(environ):
            return self._explorer(environ, start_response)
        return super().__call__(environ, start_response)


def load_app(conf: cfg.ConfigOpts, appname: str = "panko+keystone") -> Application:
    """Load an application of the paste file.

    :param conf: the service's configuration, which all parts of the application read
    :raises InvalidConfiguration: if the paste file or the policy is invalid
    :raises StorageError: if the storage driver cannot be used
    """
    path = find_paste_file(conf)
    deployment = Deployment(conf)
    # In the options of a paste file, a percent sign is special.
    options = {CONFIG_FILE: conf.config_file[-1].replace("%", "%%")} if conf.config_file else {}
    # Paste files of Panko 10 name keystonemiddleware's own filter, which has no timeout by default.
    keystone.register_options(conf)
    options["http_connect_timeout"] = str(conf[keystone.GROUP].http_connect_timeout)
    context = contextvars.copy_context()
    context.run(deployment_being_loaded.set, deployment)
    try:
        uri = f"config:{urllib.parse.quote(path)}"
        pipeline = context.run(deploy.loadapp, uri, name=appname, global_conf=options)
        explorer = context.run(load_explorer, deployment, appname)
    except (InvalidConfiguration, StorageError):
        deployment.close()
        raise
    except Exception as error:
        # Whatever a factory raises, the operator has to correct the paste file, or what it refers to.
        deployment.close()
        LOG.debug("Application %s cannot be loaded", appname, exc_info=True)
        raise InvalidConfiguration(path, f"{type(error).__name__}: {error}") from error
    LOG.info("Application %s of %s is loaded", appname, path)
    return Application(pipeline, explorer, deployment)


def load_explorer(deployment: Deployment, appname: str) -> WSGIApplication | None:
    """Return the explorer if it is enabled. Paste files do not name it: copies of older ones shall have it, too."""
    is_noauth = appname == NOAUTH
    is_enabled: bool | None = deployment.conf.explorer.enabled
    return make_explorer(deployment, is_noauth) if (is_noauth if is_enabled is None else is_enabled) else None


def find_paste_file(conf: cfg.ConfigOpts) -> str:
    """Find the paste file in the configuration directories.

    If the default file is missing, return the one that comes with Panko.

    :raises InvalidConfiguration: if the configuration names a file that does not exist
    """
    name: str = conf.api_paste_config
    if found := conf.find_file(name):
        return found
    if name != PASTE_FILE:
        raise InvalidConfiguration(name, "there is no such paste file ([DEFAULT] api_paste_config)")
    return str(importlib.resources.files("panko.api") / PASTE_FILE)


def app_factory(global_config: Mapping[str, str], root: str, **local_conf: str) -> WSGIApplication:
    """Return the application for a tree of controllers; paste files name this factory.

    :param root: dotted name of the class of the root controller
    :param local_conf: other options of the section in the paste file, which are ignored
    """
    deployment = current_deployment(global_config)
    context = ContextHook(deployment.conf, deployment.policy, deployment.storage, deployment.stream_slots)
    return PecanApplication(root, [context, ErrorHook()])


def build_wsgi_app(argv: Sequence[str] | None = None) -> Application:
    """Return the application for a WSGI server.

    :param argv: command line with the program's name first; None: that of the process
    """
    return load_app(service.prepare_service(argv))
