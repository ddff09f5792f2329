# SPDX-License-Identifier: Apache-2.0
"""What the parts of one application share while PasteDeploy, which hands on nothing but text, makes them."""

import contextlib
import contextvars
import functools
import threading
from collections.abc import Iterator, Mapping

from oslo_config import cfg

from panko import service, storage
from panko.api.policy import Policy
from panko.storage.base import Connection

CONFIG_FILE = "oslo_config_file"
"""Where filters of other packages look in a paste file's global configuration for that of the service."""


class Deployment:
    """The configuration of one application, and what is made of it once.

    :param conf: the service's configuration
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self.conf = conf

    @functools.cached_property
    def policy(self) -> Policy:
        """The application's policy; InvalidConfiguration where it cannot be read."""
        return Policy(self.conf)

    @functools.cached_property
    def storage(self) -> Connection:
        """The application's one connection; StorageError where there is none to have."""
        return storage.get_connection_from_config(self.conf)

    @functools.cached_property
    def large_answers(self) -> threading.Semaphore:
        """A place for each large answer that may be sent at once: half of the threads keep free for other requests."""
        return threading.BoundedSemaphore(max(1, self.conf.api.threads // 2))

    def close(self) -> None:
        """Let go of all connections to the database."""
        if "storage" in vars(self):
            self.storage.close()


_current: contextvars.ContextVar[Deployment] = contextvars.ContextVar("deployment")


@contextlib.contextmanager
def deploying(deployment: Deployment) -> Iterator[None]:
    """Have the factories that are called meanwhile make parts of this deployment."""
    token = _current.set(deployment)
    try:
        yield
    finally:
        _current.reset(token)


def current_deployment(global_config: Mapping[str, str]) -> Deployment:
    """Return the deployment that a factory makes a part of.

    Where it is not :func:`panko.api.app.load_app` that reads the paste file, it is one of the part's own, by the
    configuration file that the paste file names, or those that oslo.config finds.
    """
    deployment = _current.get(None)
    if deployment is not None:
        return deployment
    file = global_config.get(CONFIG_FILE)
    return Deployment(service.prepare_service([], config_files=[file] if file else None))


def configuration(global_config: Mapping[str, str]) -> cfg.ConfigOpts:
    """Return the configuration of the deployment that a factory makes a part of."""
    return current_deployment(global_config).conf
