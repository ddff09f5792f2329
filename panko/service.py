# SPDX-License-Identifier: Apache-2.0
"""The service's configuration, the defaults of libraries' options, and the settings of the garbage collector."""

import contextlib
import gc
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from oslo_config import cfg
from oslo_db import options as db_options
from oslo_log import log

from panko import opts, unknown_options

POLICY_FILE = "policy.yaml"

SHARED_LIBRARIES = ("oslo.db",)
"""Libraries whose options are checked in the process of another program, which may not have those of the API."""

QUIET_LIBRARIES = [
    # It logs its own plugins at level INFO each time it is imported.
    "alembic=WARN",
    # It logs each node that it tries again.
    "opensearch=WARN",
]

MAX_DEFAULT_WORKERS = 8

STORING_GC = 100_000, 20, 20
"""Garbage collector thresholds for processes that store batches.

A batch of events is tens of thousands of objects, nearly all of which are freed by reference counting. With Python's
default thresholds, the garbage collector took a quarter of the time of storing them, and found nothing.
"""

SERVING_GC = 5_000, 20, 20
"""Garbage collector thresholds for processes that answer requests.

Each request leaves some objects in reference cycles. Freeing 100,000 of them at once stops the process for 100 ms.
"""

LOG = log.getLogger(__name__)


def prepare_service(
    argv: Sequence[str] | None = None,
    config_files: Sequence[str] | None = None,
    share: bool = False,
    cli_opts: Sequence[cfg.Opt] = (),
    warn: bool = True,
    stdout_is_data: bool = False,
) -> cfg.ConfigOpts:
    """Read the configuration, and set up logging as it says.

    :param argv: command line, the program's name first; ``[]``: no arguments; None: those of the process
    :param config_files: configuration files; None: those of the command line, or panko.conf in the directories of
        oslo.config
    :param share: the process belongs to another program; its logging and its libraries' defaults are not changed
    :param cli_opts: options and arguments of this command only
    :param warn: log a warning for each option that looks like a mistake
    :param stdout_is_data: the command writes data to stdout: a log that is neither in a file nor in syslog goes to
        stderr
    :returns: a new configuration object
    :raises oslo_config.cfg.Error: if a file or an option is invalid
    """
    conf = cfg.ConfigOpts()
    for group, options in opts.list_opts():
        conf.register_opts(options, group=group)
    conf.register_cli_opts(cli_opts)
    db_options.set_defaults(conf, connection=opts.DEFAULT_CONNECTION)
    if not share:
        _set_defaults(conf)
        log.register_options(conf)
    arguments = sys.argv if argv is None else argv
    conf(
        list(arguments[1:]),
        prog=arguments[0].rpartition("/")[2] if arguments else None,
        project="panko",
        version=None if share else f"%(prog)s {importlib.metadata.version('panko')}",
        default_config_files=None if config_files is None else list(config_files),
        validate_default_values=True,
    )
    if not share:
        _set_up_logging(conf, sys.stderr if stdout_is_data else sys.stdout)
    if warn:
        libraries = SHARED_LIBRARIES if share else unknown_options.LIBRARIES
        for finding in unknown_options.find_unknown_options(conf, libraries):
            LOG.warning("%s", finding)
    return conf


def _set_up_logging(conf: cfg.ConfigOpts, console: TextIO) -> None:
    """Set up logging as configured.

    :param console: where the log goes if it is neither in a file nor in syslog
    """
    with contextlib.redirect_stdout(console):  # oslo.log writes to what sys.stdout is now.
        log.setup(conf, "panko")


def _set_defaults(conf: cfg.ConfigOpts) -> None:
    """Set the defaults of the libraries' options, for every user of the libraries in this process."""
    # Not at the top: the process of another program may not have the libraries of the API.
    from oslo_policy import opts as policy_opts

    policy_opts.set_defaults(conf, POLICY_FILE)
    _set_library_defaults()


def _set_library_defaults() -> None:
    """Set the defaults that suit Panko, for the service and for the generated sample."""
    from oslo_middleware import cors

    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *QUIET_LIBRARIES])
    cors.set_defaults(
        allow_headers=[
            "X-Auth-Token",
            "X-Openstack-Request-Id",
            "X-Subject-Token",
            "X-User-Id",
            "X-Project-Id",
            "Last-Event-ID",
        ],
        allow_methods=["GET", "HEAD", "POST", "OPTIONS"],
        expose_headers=["X-Openstack-Request-Id", "Link", "Retry-After"],
    )


def set_sample_defaults() -> None:
    """Set the defaults that a generated sample shows; ``oslo-config-generator`` calls this.

    They include one that the service sets only in its own configuration object: set for the whole process, it would
    change other programs, such as Ceilometer.
    """
    _set_library_defaults()
    cfg.set_defaults(db_options.database_opts, connection=opts.DEFAULT_CONNECTION)


def defer_reads(conf: cfg.ConfigOpts) -> None:
    """Change the defaults of a process that stores many events, none of which anybody reads at once.

    :param conf: the configuration of the process
    """
    conf.set_default("refresh", False, group="opensearch")


def tune_gc(thresholds: tuple[int, int, int]) -> None:
    """Set the garbage collector's thresholds for a process of Panko's own, and exempt all existing objects.

    Process-wide, so not for processes of other programs, such as Ceilometer.

    :param thresholds: :data:`STORING_GC` or :data:`SERVING_GC`; see :func:`gc.set_threshold`
    """
    gc.freeze()
    gc.set_threshold(*thresholds)


def default_workers() -> int:
    """Return how many processes a server of Panko starts if nothing sets it: one per usable core, up to 8."""
    return min(len(os.sched_getaffinity(0)), MAX_DEFAULT_WORKERS)
