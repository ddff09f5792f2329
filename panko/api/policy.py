# SPDX-License-Identifier: Apache-2.0
"""The policy of one application: its rules, read again where their files change."""

import functools
import os
import re
import threading
import time
from dataclasses import dataclass

from oslo_config import cfg
from oslo_log import log
from oslo_policy import opts as oslo_policy_opts
from oslo_policy import policy as oslo_policy

from panko import policies, service
from panko.api.errors import InvalidConfiguration, PolicyUnusable
from panko.unknown_options import nearest, suggest

OLD_POLICY_FILE = "policy.json"
"""oslo.policy passes over a file of this name in silence; where there is no newer one, it still counts here."""

DEFAULT_RULE = "default"
"""The rule that oslo.policy asks instead of one that is missing; its name can be changed, which nobody does."""

OPERATION_SIMILARITY = 0.6
RULE_SIMILARITY = 0.85
"""How similar a name is to that of a rule of Panko's for which it may be a typo, from 0 to 1."""

LOG = log.getLogger(__name__)

_FAILURES = (ValueError, TypeError, AttributeError, LookupError, OSError, RecursionError, cfg.Error)
_FAILURES += (oslo_policy.InvalidDefinitionError, oslo_policy.InvalidRuleDefault)
_REFERENCE = re.compile(r"\brule:([^\s()]+)")
_REMOTE_CHECK = re.compile(r"\bhttps?:")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking."""

    user_id: str | None = None
    project_id: str | None = None
    roles: tuple[str, ...] = ()
    system_scope: str | None = None
    domain_id: str | None = None

    @property
    def is_system(self) -> bool:
        """Whether the token is for the whole system.

        A valid service token can bring its own system scope into the request of a project or a domain, which must not
        widen it.
        """
        return self.system_scope == "all" and self.project_id is None and self.domain_id is None

    @property
    def is_complete(self) -> bool:
        """Whether it says whose events may be seen."""
        return self.user_id is not None and (self.project_id is not None or self.is_system)


class Rules:
    """The rules as they are at one time; what they say of an identity does not change.

    :param conf: the service's configuration
    :param path: the policy file; None: the defaults, and what stands in policy directories
    :raises Exception: one of the many that oslo.policy has for what cannot be read
    """

    def __init__(self, conf: cfg.ConfigOpts, path: str | None):
        if path:
            with open(path):  # Not every failure to do so is one to oslo.policy.
                pass
        self._enforcer = _make_enforcer(conf, path)
        self._enforcer.load_rules(force_reload=True)
        self._enforcer.use_conf = False
        self._check()
        # One check costs 0.1 ms, and depends on nothing but the identity, unless another server is asked.
        if not any(_REMOTE_CHECK.search(str(check)) for check in self._enforcer.rules.values()):
            self.may = functools.lru_cache(maxsize=1024)(self.may)

    def _check(self) -> None:
        """Return where every rule of the files is readable, and none leads back to itself."""
        for name, rule in self._enforcer.file_rules.items():
            # oslo.policy puts a check that always fails in the place of what it does not understand.
            if "!" in str(rule.check) and "!" not in str(rule.check_str):
                raise ValueError(f"the rule {name} cannot be read: {rule.check_str}")
        self._enforcer.skip_undefined_check = True
        self._enforcer.check_rules(raise_on_violation=True)

    def find_unknown(self) -> list[str]:
        """Return a sentence for each rule of the files that is not one of Panko's, and that no other rule refers to.

        A file that other services read too may have any rules of its own: one without a colon, which no service asks
        for by that name, is reported only if it is very similar to one of Panko's.
        """
        known = self._enforcer.registered_rules
        checks = [rule.check_str for rule in (*self._enforcer.file_rules.values(), *known.values())]
        used = {name for check in checks for name in _REFERENCE.findall(str(check))} | {DEFAULT_RULE}
        findings = []
        for name in self._enforcer.file_rules.keys() - known.keys() - used:
            meant = nearest(name, known, OPERATION_SIMILARITY if ":" in name else RULE_SIMILARITY)
            if meant or ":" in name:
                findings.append(f"The policy rule {name} is not one of Panko's and has no effect.{suggest(meant)}")
        return sorted(findings)

    def may(self, rule: str, identity: Identity) -> bool:
        """Return whether a rule holds for an identity."""
        credentials = {
            "user_id": identity.user_id,
            "project_id": identity.project_id,
            "roles": list(identity.roles),
            "system_scope": "all" if identity.is_system else None,
        }
        return bool(self._enforcer.enforce(rule, {}, credentials))


def _read_rules(conf: cfg.ConfigOpts, path: str | None) -> Rules:
    """Return the rules of a policy file.

    :raises InvalidConfiguration: if it cannot be read
    """
    try:
        return Rules(conf, path)
    except _FAILURES as error:
        raise InvalidConfiguration(path or "policy", error) from error


def find_unknown_rules(conf: cfg.ConfigOpts) -> list[str]:
    """Return what :meth:`Rules.find_unknown` finds in the policy that a configuration names.

    :raises InvalidConfiguration: if it cannot be read
    """
    return _read_rules(conf, _find_file(conf)).find_unknown()


def _make_enforcer(conf: cfg.ConfigOpts, path: str | None) -> oslo_policy.Enforcer:
    enforcer = oslo_policy.Enforcer(conf, policy_file=path)
    enforcer.register_defaults(list(policies.list_rules()))
    return enforcer


SEARCH_INTERVAL = 1.0
"""Seconds after which a policy file is seen where there was none; a change of one that is known is seen at once."""


def _find_file(conf: cfg.ConfigOpts) -> str | None:
    oslo_policy_opts.set_defaults(conf)  # It registers them first.
    return conf.find_file(conf.oslo_policy.policy_file) or conf.find_file(OLD_POLICY_FILE)


def _file_state(path: str) -> tuple[str, int, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return path, 0, 0, 0
    return path, status.st_mtime_ns, status.st_size, status.st_ino


class Policy:
    """The rules of an application. Any number of threads may ask it.

    :param conf: the service's configuration
    :raises InvalidConfiguration: where the policy cannot be read
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self._conf = conf
        self._lock = threading.Lock()
        self._path = _find_file(self._conf)
        self._state = self._read_state()
        self._next_search = 0.0
        self._failure: str | None = None
        self._rules = _read_rules(conf, self._path)
        self._warn()

    def _warn(self) -> None:
        for finding in self._rules.find_unknown():
            LOG.warning("%s", finding)

    def rules(self) -> Rules:
        """Return the rules as they are now.

        :raises PolicyUnusable: where the files cannot be read any more; what they said before does not count
        """
        if self._has_changed():
            with self._lock:
                self._refresh()
        if self._failure:
            raise PolicyUnusable(self._failure)
        return self._rules

    def _has_changed(self) -> bool:
        """Return whether the files are others than before; for new ones it looks once in a while, which takes long."""
        if any(_file_state(known[0]) != known for known in self._state):
            return True
        if time.monotonic() < self._next_search:
            return False
        self._next_search = time.monotonic() + SEARCH_INTERVAL
        return self._read_state() != self._state

    def _refresh(self) -> None:
        state = self._read_state()
        if state == self._state:
            return
        path = _find_file(self._conf)
        try:
            if self._path and not path:
                # The defaults may let in more than the file did.
                raise FileNotFoundError("it is gone")
            self._rules, self._path, self._failure = Rules(self._conf, path), path, None
            self._warn()
        except _FAILURES as error:
            self._failure = str(InvalidConfiguration(path or self._path or "policy", error))
        self._state = state

    def _read_state(self) -> tuple:
        """Return what changes with every change to the policy's files."""
        files = [_find_file(self._conf)]
        for name in self._conf.oslo_policy.policy_dirs:
            directory = self._conf.find_file(name)
            if directory:
                files += [directory, *(entry.path for entry in os.scandir(directory))]
        return tuple(sorted(_file_state(path) for path in files if path))


def get_enforcer() -> oslo_policy.Enforcer:
    """Return an enforcer for the configuration, as oslo.policy's tools ask for it: they read the files.

    The tools take --config-file by a configuration of their own, the library's global one. In that oslopolicy-validator
    then looks for the path of the policy file, and expects the service to have set it there.
    """
    tool = cfg.CONF
    conf = service.prepare_service([], config_files=tool.config_file or None, share=True, warn=False)
    path = _find_file(conf)
    oslo_policy_opts.set_defaults(tool)  # It registers them first.
    tool.set_override("policy_file", path or conf.oslo_policy.policy_file, group="oslo_policy")
    return _make_enforcer(conf, path)
