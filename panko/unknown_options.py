# SPDX-License-Identifier: Apache-2.0
"""Checks of a configuration for options that nothing reads, such as misspelt ones, which oslo.config ignores."""

import difflib
import importlib.metadata
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import stevedore
from oslo_config import cfg

from panko import opts

DEFAULT = "DEFAULT"
OWN_SECTIONS = {group for group, _ in opts.list_opts() if group}
"""Sections in which each unknown option is reported; other sections may have options that another program reads."""

LIBRARIES = (
    "keystonemiddleware.auth_token",
    "oslo.db",
    "oslo.log",
    "oslo.middleware.cors",
    "oslo.middleware.healthcheck",
    "oslo.middleware.http_proxy_to_wsgi",
    "oslo.policy",
)
"""Namespaces of the libraries' options; without oslo.messaging, as asking for its options would load eventlet."""

OTHER_SECTIONS = {
    "oslo_messaging_amqp",
    "oslo_messaging_kafka",
    "oslo_messaging_metrics",
    "oslo_messaging_notifications",
    "oslo_messaging_rabbit",
    "oslo_messaging_zmq",
}
"""Sections of oslo.messaging, of its earlier releases too; their options are not checked."""

AUTH_SECTION = "keystone_authtoken"
"""The section whose options depend on the authentication plugin that it names."""

SECTION_SIMILARITY = 0.85
"""How similar an unknown section must be to a known one to be a typo: one wrong letter of seven, for example."""

OPTION_SIMILARITY = 0.9
"""The same for an option in a section that other programs may use: only typos are reported there."""

OWN_OPTION_SIMILARITY = 0.75
"""The same for an option that is reported in any case: which known option to suggest."""

_VARIABLE = re.compile(r"OS_([A-Z0-9_]+?)__([A-Z0-9_]+)", re.ASCII)


def find_unknown_options(conf: cfg.ConfigOpts, libraries: Collection[str] = LIBRARIES) -> list[str]:
    """Return a sentence for each section and option that is ignored, and for each value that looks like a mistake.

    Options that another program may read are reported only if they are very similar to one of Panko's.

    :param conf: a configuration that was read
    :param libraries: namespaces of the libraries whose options are known; sections of other libraries are skipped
    """
    found = [(place, *given) for place, sections in _sources(conf) for given in sections]
    known = _known_options({section for _, section, _ in found}, libraries)
    findings: list[str] = []
    for place, section, names in found:
        if section in known:
            findings += _unknown_in_section(place, section, names, known[section])
        elif section not in OTHER_SECTIONS:
            findings += _unknown_section(place, section, known)
    return [*findings, *_suspicious_values(conf)]


def nearest(name: str, known: Iterable[str], similarity: float) -> str | None:
    """Return the most similar known name, ignoring upper and lower case; None if none is similar enough."""
    by_lower_case = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=similarity)
    return by_lower_case[found[0]] if found else None


def suggest(meant: str | None) -> str:
    """Return the end of a finding, which suggests a name; empty if there is no name."""
    return f" Did you mean {meant}?" if meant else ""


def _sources(conf: cfg.ConfigOpts) -> Iterator[tuple[str, list[tuple[str, Collection[str]]]]]:
    """Yield each file, and the environment, with its sections and the names of their options.

    Sections are named as oslo.config does. Sources of [DEFAULT] config_source are not checked.
    """
    files = [*conf.config_file, *(str(p) for d in conf.config_dir or () for p in sorted(Path(d).glob("*.conf")))]
    for path in files:
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(path, sections).parse()
        yield path, [(name if name == DEFAULT else name.lower(), options) for name, options in sections.items()]
    variables = defaultdict(list)
    for variable in os.environ:
        match = _VARIABLE.fullmatch(variable)
        if match:
            section = match[1].lower()
            variables[DEFAULT if section == "default" else section].append(match[2].lower())
    yield "the environment", list(variables.items())


def _known_options(sections: Collection[str], libraries: Collection[str]) -> dict[str, set[str]]:
    """Return the names of the options that are read, by section.

    :param sections: sections of the configuration; what takes long to find out is skipped for others
    """
    known: dict[str, set[str]] = defaultdict(set)
    for group, options in [*opts.list_opts(), *_library_options(libraries)]:
        known[group or DEFAULT].update(name for option in options for name in _names(option))
        for option in options:
            for old in option.deprecated_opts:
                known[old.group or group or DEFAULT].add(_normalized(old.name or option.name))
    known[DEFAULT].update(("config_file", "config_dir", "config_source", "shell_completion"))
    if AUTH_SECTION in sections and AUTH_SECTION in known:
        known[AUTH_SECTION] |= _auth_options()
    return known


def _library_options(libraries: Collection[str]) -> Iterator[tuple[str | None, list[cfg.Opt]]]:
    for entry in importlib.metadata.entry_points(group="oslo.config.opts"):
        if entry.name in libraries:
            for group, options in entry.load()():
                yield getattr(group, "name", group), options


def _auth_options() -> set[str]:
    """Return the options of all authentication plugins, as the plugin may be named in another section."""
    # Not by keystoneauth1's own function, which logs an error for each plugin whose library is not installed.
    plugins: stevedore.ExtensionManager[Any] = stevedore.ExtensionManager(
        "keystoneauth1.plugin", invoke_on_load=True, on_load_failure_callback=lambda *failure: None
    )
    loaders = [plugin.obj for plugin in plugins if plugin.obj is not None and plugin.obj.available]
    options = [option for loader in loaders for option in loader.get_options()]
    names = {name for option in options for each in (option, *option.deprecated) for name in (each.name, each.dest)}
    return {_normalized(name) for name in names if name} | {"auth_section"}


def _names(option: cfg.Opt) -> set[str]:
    return {option.dest, _normalized(option.name)}


def _normalized(name: str) -> str:
    return name.replace("-", "_")


def _unknown_in_section(place: str, section: str, names: Iterable[str], known: set[str]) -> Iterator[str]:
    own = section in OWN_SECTIONS
    for name in names:
        if name in known:
            continue
        meant = nearest(name, known, OWN_OPTION_SIMILARITY if own else OPTION_SIMILARITY)
        if meant or own:
            yield f"[{section}] {name} in {place} is not an option and is ignored.{suggest(meant)}"


def _unknown_section(place: str, section: str, known: dict[str, set[str]]) -> Iterator[str]:
    meant = nearest(section, (*known, *OTHER_SECTIONS), SECTION_SIMILARITY)
    if meant:
        yield f"[{section}] in {place} is not a section of Panko's and is ignored.{suggest(f'[{meant}]')}"


def _suspicious_values(conf: cfg.ConfigOpts) -> Iterator[str]:
    ttl = conf.database.event_time_to_live
    if ttl <= 0 and ttl != -1:
        yield (
            f"[database] event_time_to_live is {ttl}, so events are kept forever. Set it to -1 if this is intended, or "
            "to the number of seconds to keep events."
        )
