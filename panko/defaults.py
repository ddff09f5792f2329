# SPDX-License-Identifier: Apache-2.0
"""The defaults of the libraries' options that suit Panko, for a process that is its own.

They are apart from the options, as the libraries of the API are: the publisher in Ceilometer's process needs neither.
"""

from oslo_config import cfg
from oslo_db import options as db_options
from oslo_log import log
from oslo_middleware import cors

from panko import opts

QUIET_LIBRARIES = [
    # It tells of its own plugins at the level info each time it is imported.
    "alembic=WARN",
]


def set_defaults() -> None:
    """Set the defaults of the libraries' options that suit this API, for the generated sample and the service alike."""
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *QUIET_LIBRARIES])
    cors.set_defaults(
        allow_headers=["X-Auth-Token", "X-Openstack-Request-Id", "X-Subject-Token", "X-User-Id", "X-Project-Id"],
        allow_methods=["GET", "HEAD", "POST", "OPTIONS"],
        expose_headers=["X-Openstack-Request-Id"],
    )


def set_sample_defaults() -> None:
    """Set the defaults that a generated sample shows, those included which the service sets on its own options alone.

    The latter must not be set for a process that is another program's, such as Ceilometer's.
    """
    set_defaults()
    cfg.set_defaults(db_options.database_opts, connection=opts.DEFAULT_CONNECTION)
