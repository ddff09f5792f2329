# SPDX-License-Identifier: Apache-2.0
"""The command panko-status: say what an operator should see to, and change nothing."""

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
"""Exit code where the checks could not be made: 0 to 2 say how they went."""

CONVERT = "Convert it with oslopolicy-convert-json-to-yaml and remove it."


class Checks(upgradecheck.UpgradeCommands):
    """What ``panko-status upgrade check`` looks at.

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
            return Result(Code.WARNING, f"{old} is not read, as there is {newer}. Remove it.")
        return Result(Code.FAILURE, f"{old} is read as long as there is no newer policy file. {CONVERT}")

    def _check_options(self) -> Result:
        return _warn_of(find_unknown_options(self._conf))

    def _check_rules(self) -> Result:
        try:
            return _warn_of(find_unknown_rules(self._conf))
        except InvalidConfiguration as error:
            return Result(Code.FAILURE, one_line(error))

    def _check_schema(self) -> Result:
        return self._ask_storage(lambda connection: Result(Code.SUCCESS))

    def _check_time_to_live(self) -> Result:
        if self._conf.database.event_time_to_live > 0:
            return Result(Code.SUCCESS)
        return Result(
            Code.WARNING,
            "Events are kept for ever, and the database grows with them. Set [database] event_time_to_live to the "
            "number of seconds after which they are to go, and run panko-expirer by a timer.",
        )

    def _check_expirer(self) -> Result:
        ttl = self._conf.database.event_time_to_live
        return Result(Code.SUCCESS) if ttl <= 0 else self._ask_storage(lambda storage: _judge_run(storage, ttl))

    def _ask_storage(self, question: Callable[[Connection], Result]) -> Result:
        """Return what is found in a database with the schema of this version; a failure, where there is none."""
        url = storage.connection_url(self._conf)
        try:
            _require_file(url)
            # It is not tried again as by other commands: that the database is away is what is to be said.
            connection = storage.get_connection(url, self._conf)
            try:
                connection.check_schema()
                return question(connection)
            finally:
                connection.close()
        except StorageError as error:
            return Result(Code.FAILURE, one_line(error))

    _upgrade_checks = (
        ("Options are known", _check_options),
        ("Policy file in YAML", _check_policy),
        ("Policy rules are known", _check_rules),
        ("Database schema", _check_schema),
        ("Events are not kept for ever", _check_time_to_live),
        ("panko-expirer runs", _check_expirer),
    )


def _warn_of(findings: Sequence[str]) -> Result:
    return Result(Code.WARNING, " ".join(findings)) if findings else Result(Code.SUCCESS)


def _require_file(url: str) -> None:
    """Return where a connection would not make a new SQLite file.

    :raises SchemaMismatch: where it would
    """
    match = SQLITE_FILE.match(url)
    if match and not (os.path.exists(match["path"]) and os.path.getsize(match["path"])):
        raise SchemaMismatch(f"The database has no schema yet: {match['path']} is not there. Run panko-dbsync.")


def _judge_run(connection: Connection, ttl: int) -> Result:
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


def _add_commands(subparsers) -> None:
    upgrade = subparsers.add_parser("upgrade", help="Look at what an upgrade of Panko, or its running, needs.")
    upgrade.add_argument("check", choices=["check"], help="Make all checks, and change nothing.")
    upgrade.add_argument("--json", action="store_true", help="Print JSON instead of a table.")


CLI_OPTS = [cfg.SubCommandOpt("command", handler=_add_commands)]


@functools.partial(report_errors, failed=NOT_CHECKED)
def main(argv: Sequence[str]) -> int:
    """Print the outcome of each check, and return the worst: 0 is success, 1 a warning, 2 a failure."""
    # It reports what others log.
    conf = service.prepare_service(argv, cli_opts=CLI_OPTS, warn=False)
    # The library looks there for the argument --json; its own way of reading arguments makes another configuration.
    upgradecheck.CONF = conf
    # The results are all that is printed: a line of the log, on stdout too, would be no JSON.
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return Checks(conf).check()
    finally:
        logging.disable(disabled)


if __name__ == "__main__":
    sys.exit(main())
