# SPDX-License-Identifier: Apache-2.0
"""The command panko-collector: store the events that Ceilometer publishes on the message bus."""

import sys
from collections.abc import Sequence
from types import ModuleType

from panko import service, storage
from panko.cmd.errors import CommandError, report_errors


@report_errors
def main(argv: Sequence[str]) -> int:
    """Store events from the message bus until a signal says to stop."""
    conf = service.prepare_service(argv)
    service.defer_reads(conf)
    listener = _import_listener()
    try:
        listener.make_transport(conf).cleanup()
    except ValueError as error:
        raise CommandError(f"invalid transport_url: {error}. Set [collector] transport_url") from error
    connection = storage.get_connection_from_config(conf)
    connection.check_schema()
    connection.close()  # Each worker connects by itself.
    listener.make_manager(conf, connection).run()
    return 0


def _import_listener() -> ModuleType:
    """Import the module that needs the libraries of the extra ``collector``, without eventlet.

    :raises CommandError: if the libraries are not installed
    """
    # The libraries use eventlet if it can be imported; the workers use threads.
    sys.modules.setdefault("eventlet", None)  # type: ignore[arg-type] # None means that it cannot be imported.
    try:
        from oslo_service import backend

        try:
            backend.init_backend(backend.BackendType.THREADING)
        except ValueError as error:  # It knows no such backend if cotyledon is missing.
            raise ImportError(str(error)) from error
        from panko.ingest import listener
    except ImportError as error:
        raise CommandError(f"{error}: install panko[collector]>=11") from error
    return listener


if __name__ == "__main__":
    sys.exit(main())
