# SPDX-License-Identifier: Apache-2.0
"""The service's configuration: the only maker of a ConfigOpts."""

import gc
import sys
from collections.abc import Sequence

from oslo_config import cfg
from oslo_db import options as db_options
from oslo_log import log

from panko import opts, unknown_options

POLICY_FILE = "policy.yaml"

SHARED_LIBRARIES = ("oslo.db",)
"""Whose options are known in the process of another program: it may not have the libraries of the API."""

STORING_GC = 100_000, 20, 20
"""Garbage collector thresholds for processes that store batches.

A batch of events is tens of thousands of objects, nearly all of which are freed by the count of their references. With
Python's own thresholds the collector took a quarter of the time that it takes to store them, and found nothing.
"""

SERVING_GC = 5_000, 20, 20
"""Garbage collector thresholds for processes that answer requests.

Each request leaves some objects that refer to each other. Freeing 100,000 of them at once stops the process for 100 ms.
"""

LOG = log.getLogger(__name__)


def prepare_service(
    argv: Sequence[str] | None = None,
    config_files: Sequence[str] | None = None,
    share: bool = False,
    cli_opts: Sequence[cfg.Opt] = (),
    warn: bool = True,
) -> cfg.ConfigOpts:
    """Read the configuration and set up logging by it.

    :param argv: command line, the program's name first; ``[]`` is one without arguments, None the process's own
    :param config_files: configuration files; None: those of the command line, else panko.conf where oslo.config looks
    :param share: the process is another program's: its logging and the defaults of its libraries stay as they are
    :param cli_opts: options and arguments of this command alone
    :param warn: log what looks like a typo in the configuration
    :returns: a new configuration object
    :raises oslo_config.cfg.Error: where a file or an option cannot be read
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
        default_config_files=None if config_files is None else list(config_files),
        validate_default_values=True,
    )
    if not share:
        log.setup(conf, "panko")
    if warn:
        libraries = SHARED_LIBRARIES if share else unknown_options.LIBRARIES
        for finding in unknown_options.find_unknown_options(conf, libraries):
            LOG.warning("%s", finding)
    return conf


def _set_defaults(conf: cfg.ConfigOpts) -> None:
    """Set the defaults of all users of the libraries in the process."""
    # They are imported here, as the process of another program may lack the libraries of the API.
    from oslo_policy import opts as policy_opts

    from panko import defaults

    policy_opts.set_defaults(conf, POLICY_FILE)
    defaults.set_defaults()


def tune_gc(thresholds: tuple[int, int, int]) -> None:
    """Set the garbage collector's thresholds for a process of Panko's own, and exempt all objects made so far.

    Not for processes of other programs, such as Ceilometer's, which keep their settings.

    :param thresholds: :data:`STORING_GC` or :data:`SERVING_GC`; see :func:`gc.set_threshold`
    """
    gc.freeze()
    gc.set_threshold(*thresholds)
