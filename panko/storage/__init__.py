# SPDX-License-Identifier: Apache-2.0
"""Storage of events: load the driver that a connection URL names."""

import importlib.metadata
from typing import Any, NoReturn

import stevedore.driver
import stevedore.extension
import tenacity
from oslo_config import cfg
from oslo_log import log

from panko.storage.base import CONTRACT_VERSION, Connection
from panko.storage.errors import InvalidMarker, StorageUnavailable, UnknownDriver
from panko.storage.filters import EventFilter

__all__ = ["EventFilter", "InvalidMarker", "get_connection", "get_connection_from_config"]

NAMESPACE = "panko.storage"
LOG = log.getLogger(__name__)


def get_connection(url: str, conf: cfg.ConfigOpts) -> Connection:
    """Return a driver that is connected to a database.

    :param url: ``scheme://…``; the scheme, up to a ``+``, is the driver's name in the entry points ``panko.storage``
    :raises UnknownDriver: if no driver of that name is installed, or the driver is for another contract version
    :raises StorageUnavailable: if the database is unreachable
    :raises StorageMisconfigured: if the database cannot be used as it is configured
    """
    scheme = url.partition(":")[0].partition("+")[0]
    installed = {entry.name for entry in importlib.metadata.entry_points(group=NAMESPACE)}
    if scheme not in installed:
        raise UnknownDriver(
            f"There is no storage driver {scheme!r} (installed: {', '.join(sorted(installed))}). "
            "Correct the scheme of [database] connection."
        )
    manager: stevedore.driver.DriverManager[Any] = stevedore.driver.DriverManager(
        NAMESPACE, scheme, on_load_failure_callback=_raise_load_failure
    )
    _check_contract(manager.extensions[0])
    connection: Connection = manager.driver(url, conf)
    return connection


def _check_contract(extension: stevedore.extension.Extension[Any]) -> None:
    declared = getattr(extension.plugin, "CONTRACT_VERSION", None)
    if declared != CONTRACT_VERSION:
        raise UnknownDriver(
            f"the storage driver {extension.name!r} ({extension.entry_point_target}) is refused: its CONTRACT_VERSION "
            f"is {declared}, and this version of Panko needs {CONTRACT_VERSION}. A driver for another contract, "
            "such as one for Panko 10, may show the events of all tenants. Install a newer release of the driver."
        )


def _raise_load_failure(
    manager: stevedore.ExtensionManager[Any], entry_point: importlib.metadata.EntryPoint, error: BaseException
) -> NoReturn:
    raise UnknownDriver(f"the storage driver {entry_point.name!r} cannot be loaded: {error}") from error


def connection_url(conf: cfg.ConfigOpts) -> str:
    """Return the URL of the configured database, with its password.

    If ``[database] connection`` is set, it overrides ``event_connection``, which overrides the default of
    ``connection``.
    """
    info = conf.get_location("connection", "database")
    is_set = info is not None and info.location not in (cfg.Locations.opt_default, cfg.Locations.set_default)
    candidates = (conf.database.connection, conf.database.event_connection)
    first, second = candidates if is_set else candidates[::-1]
    url: str = first or second
    return url


def get_connection_from_config(conf: cfg.ConfigOpts) -> Connection:
    """Return a driver for the configured database; retry while the database is unavailable.

    Its URL is ``[database] connection`` or ``event_connection``, see :func:`connection_url`. Retry up to ``[database]
    max_retries`` times (-1: forever), every ``[database] retry_interval`` seconds. The deprecated options of these
    names in ``[storage]`` override them.

    :raises UnknownDriver: if no driver of that scheme is installed
    :raises StorageUnavailable: if the database was unreachable each time
    :raises StorageMisconfigured: if the database cannot be used as it is configured; without a retry, as none helps
    """
    url = connection_url(conf)
    retries = _first_set(conf.storage.max_retries, conf.database.max_retries)
    retrying = tenacity.Retrying(
        stop=tenacity.stop_never if retries < 0 else tenacity.stop_after_attempt(retries + 1),
        wait=tenacity.wait_fixed(_first_set(conf.storage.retry_interval, conf.database.retry_interval)),
        retry=tenacity.retry_if_exception_type(StorageUnavailable),
        before_sleep=_log_retry,
        reraise=True,
    )
    connection: Connection = retrying(get_connection, url, conf)
    return connection


def _first_set(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome and state.outcome.exception()
    if isinstance(error, StorageUnavailable) and state.next_action:
        LOG.warning("%s %s Trying again in %s s.", error, error.detail, state.next_action.sleep)
