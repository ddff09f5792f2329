# SPDX-License-Identifier: Apache-2.0
"""The WSGI application: what api_paste.ini names, put together."""

import importlib.resources
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oslo_config import cfg
from oslo_log import log
from paste import deploy

from panko import service
from panko.api import keystone
from panko.api.deployment import CONFIG_FILE, Deployment, current_deployment, deploying
from panko.api.errors import InvalidConfiguration
from panko.api.hooks import ContextHook, ErrorHook
from panko.api.middleware import KEEP_ERRORS, ErrorBodies
from panko.api.pecan_app import Application
from panko.storage.errors import StorageError

LOG = log.getLogger(__name__)

PASTE_FILE = "api_paste.ini"


class Service:
    """A WSGI application, and the connection to the database that it holds.

    :param application: the pipeline
    :param deployment: what its parts share
    """

    def __init__(self, application: Callable, deployment: Deployment):
        self._application = application
        self._deployment = deployment

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Any:
        """Answer a request."""
        return self._application(environ, start_response)

    def close(self) -> None:
        """Let go of all connections to the database; a request after that makes new ones."""
        self._deployment.close()


def load_app(conf: cfg.ConfigOpts, appname: str = "panko+keystone") -> Service:
    """Return the application of a name in the paste file.

    :param conf: the service's configuration, which every part of the application reads
    :raises InvalidConfiguration: where the paste file or the policy cannot be read, or name what is not there
    :raises StorageError: where there is no connection to the database to have
    """
    path = find_paste_file(conf)
    deployment = Deployment(conf)
    # A paste file may use what is given here, and has a meaning for the percent sign.
    shared = {CONFIG_FILE: conf.config_file[-1].replace("%", "%%")} if conf.config_file else {}
    # Paste files of Panko 10 name keystonemiddleware's own filter, which has no timeout by default.
    keystone.register_options(conf)
    shared["http_connect_timeout"] = str(conf[keystone.GROUP].http_connect_timeout)
    try:
        with deploying(deployment):
            pipeline = deploy.loadapp(f"config:{urllib.parse.quote(path)}", name=appname, global_conf=shared)
    except (InvalidConfiguration, StorageError):
        deployment.close()
        raise
    except Exception as error:
        # Whatever a filter's factory raises, it is the paste file, or what it leads to, that has to be mended.
        deployment.close()
        LOG.debug("Application %s cannot be made", appname, exc_info=True)
        raise InvalidConfiguration(path, f"{type(error).__name__}: {error}") from error
    LOG.info("Application %s of %s is loaded", appname, path)
    return Service(ErrorBodies(pipeline), deployment)


def find_paste_file(conf: cfg.ConfigOpts) -> str:
    """Return the path of the paste file: the one that comes with Panko, where none of the usual name is found.

    :raises InvalidConfiguration: where the one that the configuration names is not there
    """
    name = conf.api_paste_config
    found = conf.find_file(name)
    if found:
        return found
    if name != PASTE_FILE:
        raise InvalidConfiguration(name, "there is no such paste file ([DEFAULT] api_paste_config)")
    return str(importlib.resources.files("panko.api") / PASTE_FILE)


def app_factory(global_config: Mapping[str, str], root: str, **local_conf: str) -> Callable:
    """Return the part of the application that answers by a tree of controllers; paste files call this.

    :param root: dotted name of the class of the tree's root
    :param local_conf: what else stands in the section of the paste file; nothing else counts
    """
    deployment = current_deployment(global_config)
    context = ContextHook(deployment.conf, deployment.policy, deployment.storage, deployment.large_answers)
    application = Application(root, [context, ErrorHook()])

    def answer(environ: dict[str, Any], start_response: Callable) -> Any:
        environ[KEEP_ERRORS] = True
        return application(environ, start_response)

    return answer


def build_wsgi_app(argv: Sequence[str] | None = None) -> Service:
    """Return the application for a WSGI server.

    :param argv: command line, the program's name first; None: the process's own
    """
    return load_app(service.prepare_service(argv))
