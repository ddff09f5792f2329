# SPDX-License-Identifier: Apache-2.0
"""Storage of events: from a connection URL to its driver."""

import importlib.metadata

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
    """Return a driver, connected to the database that a URL names.

    :param url: ``scheme://…``; the scheme, up to a ``+``, is the driver's name among the entry points panko.storage
    :raises UnknownDriver: where no driver of that name is installed, or it is written for another contract
    :raises StorageUnavailable: where the database cannot be reached
    :raises StorageMisconfigured: where it cannot be used as it is configured
    """
    scheme = url.partition(":")[0].partition("+")[0]
    installed = {entry.name for entry in importlib.metadata.entry_points(group=NAMESPACE)}
    if scheme not in installed:
        raise UnknownDriver(
            f"no storage driver is named {scheme!r}; installed are: {', '.join(sorted(installed))}. "
            "See the scheme of [database] connection."
        )
    manager = stevedore.driver.DriverManager(NAMESPACE, scheme, on_load_failure_callback=_raise_load_failure)
    _check_contract(manager.extensions[0])
    return manager.driver(url, conf)


def _check_contract(extension: stevedore.extension.Extension) -> None:
    declared = getattr(extension.plugin, "CONTRACT_VERSION", None)
    if declared != CONTRACT_VERSION:
        raise UnknownDriver(
            f"the storage driver {extension.name!r} ({extension.entry_point_target}) is refused: its CONTRACT_VERSION "
            f"is {declared}, and this version of Panko works with {CONTRACT_VERSION}. A driver that is written for "
            "another contract, such as that of Panko 10, may show the events of all tenants. Install a newer release."
        )


def _raise_load_failure(manager, entry_point, error):
    raise UnknownDriver(f"the storage driver {entry_point.name!r} cannot be loaded: {error}") from error


def connection_url(conf: cfg.ConfigOpts) -> str:
    """Return the URL of the configured database, password included.

    ``[database] connection`` wins if it is set; its default is used only if ``event_connection`` is not set either.
    """
    location = conf.get_location("connection", "database").location
    is_set = location not in (cfg.Locations.opt_default, cfg.Locations.set_default)
    candidates = (conf.database.connection, conf.database.event_connection)
    first, second = candidates if is_set else candidates[::-1]
    return first or second


def get_connection_from_config(conf: cfg.ConfigOpts) -> Connection:
    """Return a driver for ``[database] connection``, trying again while the database is unavailable.

    It tries ``[database] max_retries`` times more (-1: for ever), every ``[database] retry_interval`` seconds.

    :raises UnknownDriver: where no driver of that scheme is installed
    :raises StorageUnavailable: where the database still could not be reached
    :raises StorageMisconfigured: where it cannot be used as it is configured: at once, as another try would not help
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
    return retrying(get_connection, url, conf)


def _first_set(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception()
    LOG.warning("%s %s Trying again in %s s.", error, error.detail, state.next_action.sleep)
