# SPDX-License-Identifier: Apache-2.0
"""Presets: searches for the questions that are asked most often."""

from dataclasses import dataclass

from panko.explorer.search import Search
from panko.filter_language import write_comparison

FAILURES = " OR ".join(
    (
        "event_type = (*.error OR *.failed OR *.failure)",
        *(f"{name} = (error OR ERROR OR failed OR FAILED OR failure)" for name in ("state", "status", "outcome")),
    )
)
SIGN_INS = "event_type = identity.authenticate"
AUDIT = "event_type = *http.*"

RESOURCE_TRAITS = ("resource_id", "instance_id", "volume_id", "share_id", "id", "target_id")
"""The traits that have the id of what an event is about. An index finds each."""

RESOURCE_COLUMNS = ("display_name", "state", "status", "user_id", "request_id")


@dataclass(frozen=True, slots=True)
class Preset:
    """A link to a search.

    :param title: what it finds
    :param is_current: whether the page shows it
    """

    name: str
    title: str
    url: str
    is_current: bool


_PRESETS = (
    (
        "Failures",
        "Events that report that something failed",
        FAILURES,
        ("display_name", "resource_id", "state", "outcome", "user_id"),
    ),
    (
        "Sign-ins",
        "Who signed in, and who failed to; by default, Keystone reports only failures",
        SIGN_INS,
        ("initiator_name", "initiator_id", "outcome", "initiator_host_addr"),
    ),
    (
        "Audit",
        "Requests to the services, of which the filter audit reports each",
        AUDIT,
        ("initiator_name", "initiator_id", "initiator_host_address", "action", "outcome", "requestPath"),
    ),
)


def list_presets(search: Search) -> tuple[Preset, ...]:
    """Return the presets. They keep the time range of the page, and nothing else."""
    return tuple(
        Preset(name, title, search.url(search=text, filter=(), column=columns, facet=()), search.search == text)
        for name, title, text, columns in _PRESETS
    )


def find_resource(search: Search, resource_id: str) -> str:
    """Return the URL of the page of all that happened to a resource."""
    text = " OR ".join(write_comparison(name, resource_id) for name in RESOURCE_TRAITS)
    return search.url(search=text, filter=(), column=RESOURCE_COLUMNS, facet=(), range="all", start="", end="")
