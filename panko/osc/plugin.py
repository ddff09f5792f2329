# SPDX-License-Identifier: Apache-2.0
"""What the openstack command loads at its start, whatever it is asked: as little as possible."""

import argparse
import importlib.metadata
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from panko.osc.client import EventClient

# The names are those that osc-lib looks for.
API_NAME = "event"
API_VERSION_OPTION = "os_event_api_version"
API_VERSIONS = {"2": "panko.osc.client.EventClient"}
DEFAULT_API_VERSION = "2"

RIVAL = "pankoclient"
"""The distribution that has commands of the same names."""


def make_client(instance: Any) -> "EventClient":
    """Return the client of osc-lib's ClientManager."""
    # Imported now, as every openstack command loads this module, and few are about events.
    from panko.osc.client import EventClient

    endpoint = instance.get_endpoint_for_service_type(
        API_NAME, region_name=instance.region_name, interface=instance.interface
    )
    return EventClient(instance.session, endpoint, anonymous=instance.auth_plugin_name == "none")


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the option that every plugin has."""
    rival = version_of_rival()
    if rival is None:
        parser.add_argument(
            "--os-event-api-version",
            metavar="<event-api-version>",
            default=os.environ.get("OS_EVENT_API_VERSION", DEFAULT_API_VERSION),
            help=f"Event API version, default={DEFAULT_API_VERSION} (Env: OS_EVENT_API_VERSION)",
        )
        return parser
    # Were the option added twice, no openstack command at all would work. Logging is not set up yet.
    print(
        f"Warning: {RIVAL} {rival} and panko are both installed, and it is chance which of them answers to 'openstack "
        f"event': remove one, such as by 'pip uninstall {RIVAL}'.",
        file=sys.stderr,
    )
    return parser


def version_of_rival() -> str | None:
    """Return the version of python-pankoclient where it is installed too."""
    try:
        return importlib.metadata.version(RIVAL)
    except importlib.metadata.PackageNotFoundError:
        return None
