# SPDX-License-Identifier: Apache-2.0
"""Commands for a shell ask as the caller, and never contain a token."""

from panko.api.policy import Identity
from panko.explorer.search import Search
from panko.explorer.views.commands import make_commands

CALLER = Identity(user_id="u", project_id="p", roles=("member", "reader"), is_system=False)
URL = "http://panko:8977"


def test_a_caller_with_a_token_needs_a_variable() -> None:
    commands = make_commands(Search(search="state = error"), False, URL, CALLER, has_token=True)
    assert commands.needs_token
    assert commands.curl == (
        "curl -sS -G http://panko:8977/v2/events \\\n"
        '  -H "X-Auth-Token: $OS_TOKEN" \\\n'
        "  --data-urlencode 'filter=state = error' \\\n"
        "  --data-urlencode 'filter=generated >= -24h' \\\n"
        "  -d limit=100 -d sort=generated:desc"
    )
    assert commands.openstack == (
        "openstack event list \\\n"
        "  '--where=state = error' \\\n"
        "  '--where=generated >= -24h' \\\n"
        "  --newest --limit 100"
    )


def test_a_caller_without_a_token_is_named_by_headers() -> None:
    commands = make_commands(Search(range="all"), False, URL, CALLER, has_token=False)
    assert "-H 'X-User-Id: u'" in commands.curl
    assert "-H 'X-Roles: member,reader'" in commands.curl
    assert "OpenStack-System-Scope" not in commands.curl
    assert not commands.openstack
    system = make_commands(Search(range="all"), True, URL, Identity("u", None, ("reader",), True), has_token=False)
    assert "-H 'OpenStack-System-Scope: all'" in system.curl
    assert "--os-endpoint http://panko:8977 event list" in system.openstack
    assert "--all-projects" in system.openstack


def test_a_custom_time_range_is_exact() -> None:
    search = Search(range="", start="2026-01-02T03:04:05.123456Z", end="1767323045")
    curl = make_commands(search, False, URL, CALLER, has_token=True).curl
    assert "'filter=generated >= 2026-01-02T03:04:05.123456Z'" in curl
    assert "'filter=generated <= 2026-01-02T03:04:05Z'" in curl
