# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: assembled by PasteDeploy from the parts that api_paste.ini names."""

import contextvars
import functools
import importlib.resources
import threading
import urllib.parse
from collections.abc import Mapping, Sequence
from wsgiref.types import WSGIApplication

from oslo_config import cfg
from oslo_log import log
from paste import deploy

from panko import service, storage
from panko.api import keystone
from panko.api.errors import InvalidConfiguration
from panko.api.hooks import ContextHook, ErrorHook
from panko.api.middleware.errors import ErrorMiddleware
from panko.api.pecan_app import PecanApplication
from panko.api.policy import Policy
from panko.storage.base import Connection
from panko.storage.errors import StorageError

LOG = log.getLogger(__name__)

PASTE_FILE = "api_paste.ini"

CONFIG_FILE = "oslo_config_file"
"""Name under which filters of other packages find the service's configuration file in PasteDeploy's global options."""


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
_deployment: contextvars.ContextVar[Deployment] = contextvars.ContextVar("deployment")


class Application(ErrorMiddleware):
    """The whole API as a WSGI application.

    :param pipeline: the application that PasteDeploy returned
    :param deployment: what its parts share
    """

    def __init__(self, pipeline: WSGIApplication, deployment: Deployment):
        super().__init__(pipeline)
        self.close = deployment.close


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
    context.run(_deployment.set, deployment)
    try:
        uri = f"config:{urllib.parse.quote(path)}"
        pipeline = context.run(deploy.loadapp, uri, name=appname, global_conf=options)
    except (InvalidConfiguration, StorageError):
        deployment.close()
        raise
    except Exception as error:
        # Whatever a factory raises, the operator has to correct the paste file, or what it refers to.
        deployment.close()
        LOG.debug("Application %s cannot be loaded", appname, exc_info=True)
        raise InvalidConfiguration(path, f"{type(error).__name__}: {error}") from error
    LOG.info("Application %s of %s is loaded", appname, path)
    return Application(pipeline, deployment)


def find_paste_file(conf: cfg.ConfigOpts) -> str:
    """Return the path of the paste file; Panko's own if there is none of the default name beside panko.conf.

    :raises InvalidConfiguration: if the configuration names a file that does not exist
    """
    name: str = conf.api_paste_config
    if found := conf.find_file(name):
        return found
    if name != PASTE_FILE:
        raise InvalidConfiguration(name, "there is no such paste file ([DEFAULT] api_paste_config)")
    return str(importlib.resources.files("panko.api") / PASTE_FILE)


def current_deployment(global_config: Mapping[str, str]) -> Deployment:
    """Return the deployment that is being loaded, for a factory of one of its parts.

    If a paste file is loaded without :func:`load_app`, each part gets its own deployment, with the configuration file
    that the paste file names, or those that oslo.config finds.
    """
    deployment = _deployment.get(None)
    if deployment is not None:
        return deployment
    file = global_config.get(CONFIG_FILE)
    return Deployment(service.prepare_service([], config_files=[file] if file else None))


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
