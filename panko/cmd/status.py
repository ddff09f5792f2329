# SPDX-License-Identifier: Apache-2.0
"""The command panko-status: check for what needs an operator's attention, and change nothing."""

import argparse
import datetime
import functools
import logging
import os
import sys
from collections.abc import Callable, Sequence

from oslo_config import cfg
from oslo_upgradecheck import common_checks, upgradecheck
from oslo_upgradecheck.upgradecheck import Code, Result
from oslo_utils import timeutils

from panko import service, storage
from panko.api.errors import InvalidConfiguration
from panko.api.policy import OLD_POLICY_FILE, find_unknown_rules
from panko.cmd.dbsync import SQLITE_FILE
from panko.cmd.errors import one_line, report_errors
from panko.storage.base import Connection
from panko.storage.errors import SchemaMismatch, StorageError
from panko.unknown_options import find_unknown_options

NOT_CHECKED = 255
"""Exit code if the checks could not be made; 0 to 2 are their results."""


class Checks(upgradecheck.UpgradeCommands):
    """The checks of ``panko-status upgrade check``.

    :param conf: the service's configuration
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self._conf = conf

    def _check_policy(self) -> Result:
        try:
            result = common_checks.check_policy_json(self, self._conf)
        except OSError as error:
            return Result(Code.FAILURE, f"{error.filename} cannot be read: {error.strerror}")
        if result.code is not Code.SUCCESS:
            return result
        old = self._conf.find_file(OLD_POLICY_FILE)
        if not old:
            return Result(Code.SUCCESS)
        newer = self._conf.find_file(self._conf.oslo_policy.policy_file)
        if newer:
            return Result(Code.WARNING, f"{old} is ignored, as there is {newer}. Remove it.")
        return Result(
            Code.FAILURE,
            f"{old} is read, as there is no newer policy file. Convert it with oslopolicy-convert-json-to-yaml, and "
            "remove it.",
        )

    def _check_options(self) -> Result:
        return _warn(find_unknown_options(self._conf))

    def _check_rules(self) -> Result:
        try:
            return _warn(find_unknown_rules(self._conf))
        except InvalidConfiguration as error:
            return Result(Code.FAILURE, one_line(error))

    def _check_schema(self) -> Result:
        return self._check_storage(lambda connection: Result(Code.SUCCESS))

    def _check_health(self) -> Result:
        return self._check_storage(lambda connection: _warn([*connection.find_problems()]))

    def _check_conversion(self) -> Result:
        return self._check_storage(_check_converted)

    def _check_time_to_live(self) -> Result:
        if self._conf.database.event_time_to_live > 0:
            return Result(Code.SUCCESS)
        return Result(
            Code.WARNING,
            "Events are kept forever, and the database grows with them. Set [database] event_time_to_live to the "
            "number of seconds to keep them, and run panko-expirer by a timer.",
        )

    def _check_expirer(self) -> Result:
        ttl = self._conf.database.event_time_to_live
        if ttl <= 0:
            return Result(Code.SUCCESS)
        return self._check_storage(lambda connection: _check_last_run(connection, ttl))

    def _check_storage(self, check: Callable[[Connection], Result]) -> Result:
        """Return the result of a check that reads the database; a failure if the database cannot be used."""
        url = storage.connection_url(self._conf)
        try:
            _require_file(url)
            # Not retried as in other commands: an unreachable database is a result to report.
            connection = storage.get_connection(url, self._conf)
            try:
                connection.check_schema()
                return check(connection)
            finally:
                connection.close()
        except StorageError as error:
            return Result(Code.FAILURE, one_line(error))

    _upgrade_checks = (
        ("Options are known", _check_options),
        ("Policy file in YAML", _check_policy),
        ("Policy rules are known", _check_rules),
        ("Database schema", _check_schema),
        ("Database is healthy", _check_health),
        ("Events of Panko 10 converted", _check_conversion),
        ("Events are not kept forever", _check_time_to_live),
        ("panko-expirer runs", _check_expirer),
    )


def _warn(findings: Sequence[str]) -> Result:
    return Result(Code.WARNING, " ".join(findings)) if findings else Result(Code.SUCCESS)


def _require_file(url: str) -> None:
    """Check that connecting does not create a new SQLite file.

    :raises SchemaMismatch: if it would
    """
    match = SQLITE_FILE.match(url)
    if match and not (os.path.exists(match["path"]) and os.path.getsize(match["path"])):
        raise SchemaMismatch(f"The database has no schema yet: {match['path']} is missing. Run panko-dbsync.")


def _check_converted(connection: Connection) -> Result:
    conversion = connection.get_conversion()
    if conversion is None:
        return Result(Code.SUCCESS)
    state = conversion.read_state()
    if state.is_complete:
        return Result(
            Code.WARNING,
            "All events of Panko 10 are converted, but its tables still use disk space. If you will not go back to it, "
            "run panko-dbsync --drop-old.",
        )
    return Result(
        Code.WARNING,
        f"{state.done} of {state.events} events of Panko 10 are converted; the others are not found yet. Run "
        "panko-dbsync to go on.",
    )


def _check_last_run(connection: Connection, ttl: int) -> Result:
    last = connection.last_expiry()
    if last is None:
        return Result(Code.WARNING, "panko-expirer has not run yet. Run it by a timer, every hour or so.")
    if (timeutils.utcnow() - last) / datetime.timedelta(seconds=1) <= 2 * ttl:
        return Result(Code.SUCCESS)
    return Result(
        Code.WARNING,
        f"panko-expirer has not run since {last:%Y-%m-%d %H:%M} UTC, more than twice the {ttl} s of [database] "
        "event_time_to_live. Run it by a timer, every hour or so.",
    )


def _add_commands(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    upgrade = subparsers.add_parser("upgrade", help="Check what an upgrade of Panko, or its operation, needs.")
    upgrade.add_argument("check", choices=["check"], help="Run all checks, and change nothing.")
    upgrade.add_argument("--json", action="store_true", help="Print JSON instead of a table.")


CLI_OPTS = [cfg.SubCommandOpt("command", handler=_add_commands)]


@functools.partial(report_errors, failed=NOT_CHECKED)
def main(argv: Sequence[str]) -> int:
    """Print the result of each check, and return the worst: 0 is success, 1 a warning, 2 a failure."""
    # warn=False, as one of the checks reports what would be logged.
    conf = service.prepare_service(argv, cli_opts=CLI_OPTS, warn=False)
    # The library reads the argument --json there; its own main function would make another configuration.
    upgradecheck.CONF = conf
    # Log lines on stdout would make the output invalid JSON.
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return Checks(conf).check()
    finally:
        logging.disable(disabled)


if __name__ == "__main__":
    sys.exit(main())
