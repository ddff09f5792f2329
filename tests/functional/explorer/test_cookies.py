# SPDX-License-Identifier: Apache-2.0
"""Cookies that the explorer has not set are those of somebody who has not signed in."""

import pytest

from tests.functional.explorer.conftest import FETCH, PAGE


@pytest.mark.parametrize("value", [r'"\304\200"', r'"a\012b"', "a b", "x" * 9000])
def test_a_cookie_that_is_no_token_leads_to_the_sign_in(signed_out, value, caplog):
    headers = {"Cookie": f"panko-token={value}"}
    answer = signed_out.get("/explorer", headers={**headers, **PAGE}, status=303)
    assert answer.headers["Location"] == "/explorer/sign-in"
    signed_out.get("/explorer/tail", headers={**headers, **FETCH}, status=401)
    assert not [each for each in caplog.records if each.levelname in ("ERROR", "CRITICAL")]
