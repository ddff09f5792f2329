# SPDX-License-Identifier: Apache-2.0
"""The requests of gabbits/, one file per resource, have the expected answers."""

import unittest
from pathlib import Path

import pytest
from gabbi import driver

GABBITS = Path(__file__).with_name("gabbits")


@pytest.mark.parametrize("resource", sorted(path.stem for path in GABBITS.glob("*.yaml")))
def test_the_requests_for_a_resource(api, resource, tmp_path):
    # Gabbi reads directories, and its pytest plugin claims every test with a colon in its name.
    (tmp_path / f"{resource}.yaml").symlink_to(GABBITS / f"{resource}.yaml")
    suite = driver.build_tests(str(tmp_path), unittest.TestLoader(), intercept=lambda: api.app)
    result = unittest.TestResult()
    suite.run(result)
    assert result.testsRun
    assert not "\n".join(text for _, text in result.failures + result.errors)
