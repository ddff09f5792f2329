# SPDX-License-Identifier: Apache-2.0
"""The policy of one application: its rules, which are reloaded when their files change."""

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
"""oslo.policy silently ignores a file of this name; Panko reads it if there is no newer policy file."""

DEFAULT_RULE = "default"
"""The rule that oslo.policy checks instead of a missing one. Its name is an option that nobody sets."""

OPERATION_SIMILARITY = 0.6
"""How similar an unknown name with a colon must be to one of Panko's rules to be a typo, from 0 to 1."""

RULE_SIMILARITY = 0.85
"""The same for a name without a colon, which may be a helper rule of another service."""

SEARCH_INTERVAL_SECONDS = 1.0
"""How often new policy files are searched for; a change of a known file is noticed at once."""

LOG = log.getLogger(__name__)

# All that oslo.policy raises for invalid files.
_FAILURES = (
    *(ValueError, TypeError, AttributeError, LookupError, OSError, RecursionError, cfg.Error),
    *(oslo_policy.InvalidDefinitionError, oslo_policy.InvalidRuleDefault),
)
_REFERENCE = re.compile(r"\brule:([^\s()]+)")
_REMOTE_CHECK = re.compile(r"\bhttps?:")


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller of a request.

    :param is_system: whether the token is for the whole system
    """

    user_id: str | None = None
    project_id: str | None = None
    roles: tuple[str, ...] = ()
    is_system: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether the identity has a user, and a project or system scope."""
        return self.user_id is not None and (self.project_id is not None or self.is_system)


class Rules:
    """One version of the rules; their decisions about an identity do not change.

    :param conf: the service's configuration
    :param path: the policy file; None: only the defaults and the policy directories
    :raises Exception: if the files are invalid; oslo.policy raises many kinds
    """

    def __init__(self, conf: cfg.ConfigOpts, path: str | None):
        if path:
            with open(path):  # oslo.policy ignores some errors of reading it.
                pass
        self._enforcer = _make_enforcer(conf, path)
        self._enforcer.load_rules(force_reload=True)
        self._enforcer.use_conf = False
        self._validate()
        # A decision costs 0.1 ms, and depends only on the identity unless another server is asked.
        is_remote = any(_REMOTE_CHECK.search(str(check)) for check in self._enforcer.rules.values())
        self.may = self._decide if is_remote else functools.lru_cache(maxsize=1024)(self._decide)
        """Returns whether a rule allows an identity to do something."""

    def _validate(self) -> None:
        """Raise an exception if a rule of the files is invalid or refers to itself."""
        for name, rule in self._enforcer.file_rules.items():
            # oslo.policy replaces what it cannot parse by a check that always fails.
            if "!" in str(rule.check) and "!" not in str(rule.check_str):
                raise ValueError(f"the rule {name} cannot be read: {rule.check_str}")
        self._enforcer.skip_undefined_check = True
        self._enforcer.check_rules(raise_on_violation=True)

    def find_unknown(self) -> list[str]:
        """Return a sentence for each rule of the files that is not one of Panko's and that no other rule refers to.

        A file that other services share may define helper rules, whose names have no colon: these are reported only if
        they are very similar to one of Panko's.
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

    def _decide(self, rule: str, identity: Identity) -> bool:
        credentials = {
            "user_id": identity.user_id,
            "project_id": identity.project_id,
            "roles": list(identity.roles),
            "system_scope": "all" if identity.is_system else None,
        }
        return bool(self._enforcer.enforce(rule, {}, credentials))


def _read_rules(conf: cfg.ConfigOpts, path: str | None) -> Rules:
    """Return the rules of a policy file.

    :raises InvalidConfiguration: if they are invalid
    """
    try:
        return Rules(conf, path)
    except _FAILURES as error:
        raise InvalidConfiguration(path or "policy", error) from error


def find_unknown_rules(conf: cfg.ConfigOpts) -> list[str]:
    """Return the findings of :meth:`Rules.find_unknown` for the configured policy.

    :raises InvalidConfiguration: if the policy is invalid
    """
    return _read_rules(conf, _find_file(conf)).find_unknown()


def _make_enforcer(conf: cfg.ConfigOpts, path: str | None) -> oslo_policy.Enforcer:
    enforcer = oslo_policy.Enforcer(conf, policy_file=path)
    enforcer.register_defaults(list(policies.list_rules()))
    return enforcer


def _find_file(conf: cfg.ConfigOpts) -> str | None:
    oslo_policy_opts.set_defaults(conf)  # Registers the options, too.
    return conf.find_file(conf.oslo_policy.policy_file) or conf.find_file(OLD_POLICY_FILE)


FileState = tuple[str, int, int, int]


def _file_state(path: str) -> FileState:
    """Return what changes with a file; zeros if it does not exist."""
    try:
        status = os.stat(path)
    except OSError:
        return path, 0, 0, 0
    return path, status.st_mtime_ns, status.st_size, status.st_ino


class Policy:
    """The rules of an application; any number of threads may use it.

    :param conf: the service's configuration
    :raises InvalidConfiguration: if the policy is invalid
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self._conf = conf
        self._lock = threading.Lock()
        self._path = _find_file(self._conf)
        self._state = self._read_state()
        self._next_search = 0.0
        self._failure: str | None = None
        self._rules = _read_rules(conf, self._path)
        self._warn_of_unknown()

    def _warn_of_unknown(self) -> None:
        for finding in self._rules.find_unknown():
            LOG.warning("%s", finding)

    def rules(self) -> Rules:
        """Return the current rules.

        :raises PolicyUnusable: if the files have become invalid; the rules of before are not used any more
        """
        changed = any(_file_state(known[0]) != known for known in self._state)
        if changed or time.monotonic() >= self._next_search:
            if not changed:
                # Set before the slow search, for which other threads do not wait.
                self._next_search = time.monotonic() + SEARCH_INTERVAL_SECONDS
            with self._lock:
                self._refresh()
        if self._failure:
            raise PolicyUnusable(self._failure)
        return self._rules

    def _refresh(self) -> None:
        state = self._read_state()
        if state == self._state:
            return
        path = _find_file(self._conf)
        try:
            if self._path and not path:
                # The defaults may allow more than the file did.
                raise FileNotFoundError("it is gone")
            self._rules, self._path, self._failure = Rules(self._conf, path), path, None
            self._warn_of_unknown()
        except _FAILURES as error:
            self._failure = str(InvalidConfiguration(path or self._path or "policy", error))
        self._state = state

    def _read_state(self) -> tuple[FileState, ...]:
        """Return what changes with every change of the policy's files."""
        files = [_find_file(self._conf)]
        for name in self._conf.oslo_policy.policy_dirs:
            directory = self._conf.find_file(name)
            if directory:
                files += [directory, *(entry.path for entry in os.scandir(directory))]
        return tuple(sorted(_file_state(path) for path in files if path))


def get_enforcer() -> oslo_policy.Enforcer:
    """Return an enforcer for oslo.policy's tools, which load the files themselves.

    The tools parse --config-file into the library's global configuration. oslopolicy-validator expects that the service
    has set the path of the policy file there.
    """
    tool = cfg.CONF
    conf = service.prepare_service([], config_files=tool.config_file or None, share=True, warn=False)
    path = _find_file(conf)
    oslo_policy_opts.set_defaults(tool)  # Registers the options, too.
    tool.set_override("policy_file", path or conf.oslo_policy.policy_file, group="oslo_policy")
    return _make_enforcer(conf, path)
