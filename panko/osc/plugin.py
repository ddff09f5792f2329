# SPDX-License-Identifier: Apache-2.0
"""The plugin that every openstack command loads at its start: it imports as little as possible."""

import argparse
import importlib.metadata
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from panko.osc.client import EventClient

# osc-lib looks for these names.
API_NAME = "event"
API_VERSION_OPTION = "os_event_api_version"
API_VERSIONS = {"2": "panko.osc.client.EventClient"}
DEFAULT_API_VERSION = "2"

CONFLICTING_PACKAGE = "pankoclient"
"""A distribution that has commands of the same names."""


def make_client(instance: Any) -> "EventClient":
    """Return the client for osc-lib's ClientManager."""
    # Imported late: every openstack command loads this module, and few use events.
    from panko.osc.client import EventClient

    endpoint = instance.get_endpoint_for_service_type(
        API_NAME, region_name=instance.region_name, interface=instance.interface
    )
    return EventClient(instance.session, endpoint, anonymous=instance.auth_plugin_name == "none")


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the option that every plugin has, unless pankoclient adds it too."""
    conflicting_version = find_conflicting_version()
    if conflicting_version is None:
        parser.add_argument(
            "--os-event-api-version",
            metavar="<event-api-version>",
            default=os.environ.get("OS_EVENT_API_VERSION", DEFAULT_API_VERSION),
            help=f"Event API version, default={DEFAULT_API_VERSION} (Env: OS_EVENT_API_VERSION)",
        )
        return parser
    # If the option were added twice, every openstack command would fail. Logging is not set up yet.
    print(
        f"Warning: {CONFLICTING_PACKAGE} {conflicting_version} and panko are both installed, and either may run "
        f"'openstack event': remove one, for example with 'pip uninstall {CONFLICTING_PACKAGE}'.",
        file=sys.stderr,
    )
    return parser


def find_conflicting_version() -> str | None:
    """Return the version of pankoclient; None if it is not installed."""
    try:
        return importlib.metadata.version(CONFLICTING_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
