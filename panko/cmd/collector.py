# SPDX-License-Identifier: Apache-2.0
"""The command panko-collector: store the events that Ceilometer publishes on the message bus."""

import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from panko import service, storage
from panko.cmd.errors import CommandError, report_errors
from panko.ingest import listener


@report_errors
def main(argv: Sequence[str]) -> int:
    """Store what comes on the message bus until a signal says to stop."""
    conf = service.prepare_service(argv)
    make_manager = _import_libraries()
    _check_transport(conf)
    connection = storage.get_connection_from_config(conf)
    connection.check_schema()
    connection.close()  # Each worker makes its own.
    make_manager(conf, connection).run()
    return 0


def _import_libraries() -> Any:
    """Return what makes the manager of the worker processes.

    :raises CommandError: where the libraries of the extra are not installed
    """
    # Libraries below look for eventlet, which is not to be found: threads are what runs here.
    sys.modules.setdefault("eventlet", None)
    try:
        from oslo_service import backend

        backend.init_backend(backend.BackendType.THREADING)
        from panko.cmd.collector_workers import make_manager
    except ImportError as error:
        raise CommandError(f"{error}: install panko[collector]") from error
    return make_manager


def _check_transport(conf: cfg.ConfigOpts) -> None:

    try:
        listener.make_transport(conf).cleanup()
    except ValueError as error:
        raise CommandError(f"transport_url cannot be used: {error}. Set [collector] transport_url") from error


if __name__ == "__main__":
    sys.exit(main())
