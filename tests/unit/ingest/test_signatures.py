# SPDX-License-Identifier: Apache-2.0
"""Signatures are the ones that Ceilometer makes: those below were made by Ceilometer 27.0.0, as it sends them."""

import json

import pytest

from panko.ingest.signatures import is_signed, sign

EVENT = json.loads(r"""
{"message_id": "id-1", "event_type": "a.b", "generated": "2026-01-02T03:04:05.678901",
 "traits": [["service", 1, "compute \u00e9"], ["vcpus", 2, 2], ["load", 3, 0.5],
            ["launched_at", 4, "2026-01-02T03:04:00"]],
 "raw": {"k": {"z": 1, "a": [1, 2, {"b": null, "a": true}]}, "a": 1.5e+20},
 "message_signature": "c179da6e35c7b23805d66a119907d2e58a99fa6a940ea761fbdfa8435cabd3d7"}
""")


def test_an_event_of_ceilometer_is_signed_by_its_secret():
    assert is_signed(EVENT, "secret")
    assert not is_signed(EVENT, "another secret")


@pytest.mark.parametrize(
    "changed",
    [
        {"message_id": "id-2"},
        {"traits": [*EVENT["traits"], ["user_id", 1, "me"]]},
        {"traits": EVENT["traits"][::-1]},
        {"raw": {**EVENT["raw"], "a": 1.5e21}},
        {"raw": {}},
        {"more": 1},
        {"message_signature": ""},
        {"message_signature": None},
        {"message_signature": "é"},
        {"message_signature": ["c179da6e"]},
        {"raw": {"half a pair": "\ud800"}},
    ],
)
def test_what_was_changed_after_it_was_signed_is_not(changed):
    assert not is_signed({**EVENT, **changed}, "secret")


def test_what_has_no_signature_is_not_signed():
    assert not is_signed({name: EVENT[name] for name in EVENT if name != "message_signature"}, "secret")


def test_objects_in_lists_are_signed_in_the_order_of_their_names():
    ones = [{"a": [{"b": 1, "c": {"d": 2, "e": "é'"}}]}, {"a": [{"c": {"e": "é'", "d": 2}, "b": 1}]}]
    assert {sign(one, "s") for one in ones} == {sign(ones[0], "s")}


@pytest.mark.parametrize(
    ("event", "signature"),
    [
        ({"a": {"b": 1}}, "6b0e4bff5e6cac43cd73b8a55d1312da237de03b124b496a94f1e4cc6063c92f"),
        ({"a": [{"b": 1}]}, "e40874c57e24313788f073b15f78b8d8fd0960108b65c6c42f5ecfc6baf40e9f"),
        ({"a": ["b", {"c": {"d": 1}}]}, "015a95d1e9f3eb628b2d769735f5f75484680f82761489ad3d03c01a950b00ec"),
        ({"a": [["x", 1, "y"]]}, "959dc47617cee4c88825634dd852f2cc861eb2eb26ca20ef0f3d5494edd3cedf"),
        ({"a": []}, "de6bc6cfd6b4ab19f740e3947e232ef13afedb7d5f71264d61a87599012470ab"),
        ({"a": {}}, "64eca07cce67929c357d63d0a4aec207e774800403298914fc04e88ce02ac49f"),
        ({"a": "é"}, "7266702a620bd21cb83969ceddd5510f9f2ccf32cc48a9633b23c39b21173761"),
        ({"a": None}, "0bcc43744cd1c52406751b9f4fb9200254f9c8186cef7b9b52f413ce98953e6a"),
        ({"a": True}, "e5b293a2e79f20f1c28e73922dbca10da4fca579ba305b0cbca96b85c19730ba"),
        ({"a": 1e22}, "969e7abf10d86dc10e2e94e9c6b288bf9237d51caed466dc1469fc70824e5bc9"),
        ({"b": "y", "a": "x"}, "a1baf653e2efd503721e0ef28209a4694d0ac05efcab7a89127914b4e088a82f"),
    ],
)
def test_each_kind_of_member_is_signed_as_ceilometer_does(event, signature):
    assert sign(event, "s") == signature
