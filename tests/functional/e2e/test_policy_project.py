# SPDX-License-Identifier: Apache-2.0
"""What each kind of identity in Keystone gets with the shipped policy-project.yaml."""

import json

import pytest

from tests.functional.cmd.processes import ROOT
from tests.functional.e2e.conftest import running_panko
from tests.functional.e2e.test_identities import LISTS, RESOURCES, TOKENS, read

MORE_RESOURCES = {
    **RESOURCES,
    "feed": "/v2/event_feed?cursor=begin",
    "count": "/v2/event_counts",
    "distinct": "/v2/event_types/t/traits/of/values",
    "grafana": "/grafana/rows",
}

# As in test_identities.py.
PROMISED = """
who                       | list | list all | show a | show d | show - | types | traits | values
nobody: no token          | 401  | 401      | 401    | 401    | 401    | 401   | 401    | 401
alice without a scope     | 403  | 403      | 403    | 403    | 403    | 403   | 403    | 403
admin of a domain         | 403  | 403      | 403    | 403    | 403    | 403   | 403    | 403
alice, member of demo     | abc  | 403      | 200    | 404    | 404    | 200   | 200    | abc
alice, by a credential    | abc  | 403      | 200    | 404    | 404    | 200   | 200    | abc
carol, reader of demo     | abc  | 403      | 200    | 404    | 404    | 200   | 200    | abc
dave, member of other     | d    | 403      | 404    | 200    | 404    | 200   | 200    | d
panko, service of service | none | 403      | 404    | 404    | 404    | 401   | 401    | 401
admin of demo             | abc- | abcd-    | 200    | 404    | 200    | 200   | 200    | abcd-
admin of admin            | -    | abcd-    | 404    | 404    | 200    | 200   | 200    | abcd-
reader of the system      | -    | abcd-    | 404    | 404    | 200    | 200   | 200    | abcd-
service of the system     | 403  | 403      | 403    | 403    | 403    | 403   | 403    | 403
"""

# "count" is shown by the number of events, the others by their events or the events whose traits they have.
PROMISED_MORE = """
who                       | feed | count | distinct | grafana
nobody: no token          | 401  | 401   | 401      | 401
alice without a scope     | 403  | 403   | 403      | 403
admin of a domain         | 403  | 403   | 403      | 403
alice, member of demo     | abc  | 3     | abc      | abc
alice, by a credential    | abc  | 3     | abc      | abc
carol, reader of demo     | abc  | 3     | abc      | abc
dave, member of other     | d    | 1     | d        | d
panko, service of service | none | 0     | none     | none
admin of demo             | abc- | 4     | abc-     | abcd-
admin of admin            | -    | 1     | -        | abcd-
reader of the system      | -    | 1     | -        | abcd-
service of the system     | 403  | 403   | 403      | 403
"""


@pytest.fixture(scope="module")
def panko(keystone, tmp_path_factory):
    """A panko-api with the shipped file as its policy.yaml."""
    policy = (ROOT / "etc/panko/policy-project.yaml").read_text()
    with running_panko(keystone, tmp_path_factory.mktemp("policy-project"), policy=policy) as panko:
        yield panko


def told(panko, resource, token):
    """Return the text in the table for an answer."""
    path = MORE_RESOURCES[resource]
    if resource in LISTS:
        return panko.seen(token, path)
    answer = panko.get(path, token)
    if answer.status != 200 or resource in RESOURCES:
        return str(answer.status)
    body = json.loads(answer.body)
    if resource == "count":
        return str(sum(each["count"] for each in body))
    names = {"feed": "events", "distinct": "values", "grafana": "rows"}
    letters = [each.get("message_id") or each["value"] for each in body[names[resource]]]
    return "".join(sorted(letters, key=lambda letter: (letter == "-", letter))) or "none"


@pytest.mark.parametrize("who", dict(read(PROMISED)))
def test_answers_by_identity_and_resource(panko, who):
    promised = {**dict(read(PROMISED))[who], **dict(read(PROMISED_MORE))[who]}
    token = TOKENS[who](panko.keystone)
    assert {resource: told(panko, resource, token) for resource in promised} == promised
