# SPDX-License-Identifier: Apache-2.0
"""[database] connection names the database, and event_connection only if that is not set, as in Panko 10."""

import pytest

from panko import opts, service
from panko.storage import connection_url

CONNECTION, EVENT_CONNECTION = "connection = sqlite:///new", "event_connection = sqlite:///old"


@pytest.mark.parametrize(
    ("lines", "url"),
    [
        ([], opts.DEFAULT_CONNECTION),
        ([CONNECTION], "sqlite:///new"),
        ([EVENT_CONNECTION], "sqlite:///old"),
        ([CONNECTION, EVENT_CONNECTION], "sqlite:///new"),
        ([f"connection = {opts.DEFAULT_CONNECTION}", EVENT_CONNECTION], opts.DEFAULT_CONNECTION),
        (["connection =", EVENT_CONNECTION], "sqlite:///old"),
    ],
)
def test_connection_wins_if_both_are_set(tmp_path, lines, url):
    path = tmp_path / "panko.conf"
    path.write_text("\n".join(["[database]", *lines]))
    assert connection_url(service.prepare_service([], config_files=[str(path)], share=True)) == url


def test_the_environment_and_an_override_are_settings_too(tmp_path, monkeypatch):
    path = tmp_path / "panko.conf"
    path.write_text(f"[database]\n{EVENT_CONNECTION}")
    conf = service.prepare_service([], config_files=[str(path)], share=True)
    conf.set_override("connection", "sqlite:///override", group="database")
    assert connection_url(conf) == "sqlite:///override"
    monkeypatch.setenv("OS_DATABASE__CONNECTION", "sqlite:///environment")
    conf = service.prepare_service([], config_files=[str(path)], share=True)
    assert connection_url(conf) == "sqlite:///environment"
