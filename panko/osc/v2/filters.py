# SPDX-License-Identifier: Apache-2.0
"""The arguments by which commands choose events."""

import argparse

from panko.osc import arguments

FILTER_HELP = (
    "Condition on a trait, with one of = != < <= > >=, such as 'vcpus>=4'. A value that looks like an integer, a "
    "number with a point or a time is compared with traits of that type, any other or one in quotes with strings; a "
    "type in front decides otherwise: 'float::progress>50' (string, integer, float, datetime). Also event_type=, "
    "message_id=, start_timestamp>=, end_timestamp<= and all_tenants= (repeat for several, which must all hold)"
)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which events are wanted."""
    parser.add_argument(
        "--filter", metavar="<condition>", action="append", default=[], type=arguments.parse_filter, help=FILTER_HELP
    )
    parser.add_argument(
        "--type",
        metavar="<event-type>",
        action="append",
        default=[],
        dest="event_types",
        help="Only events of this type (repeat for those of any of several)",
    )
    parser.add_argument(
        "--since",
        metavar="<time>",
        type=arguments.parse_moment,
        help="Only events since then: 90s, 15m, 2h, 7d or 1w ago, or a time in ISO 8601, UTC where it says no zone",
    )
    add_all_projects(parser)


def add_all_projects(parser: argparse.ArgumentParser) -> None:
    """Add the argument that an administrator looks beyond the own project with."""
    parser.add_argument(
        "--all-projects", action="store_true", help="Events of all projects, which by default an administrator may see"
    )


def conditions(parsed_args: argparse.Namespace) -> list[arguments.Filter]:
    """Return what the events that are wanted fulfil, but for their time."""
    own = [arguments.Filter("event_type", "eq", "", name) for name in parsed_args.event_types]
    if parsed_args.all_projects:
        own.append(arguments.Filter("all_tenants", "eq", "", "True"))
    return [*parsed_args.filter, *own]
