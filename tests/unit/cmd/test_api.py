# SPDX-License-Identifier: Apache-2.0
"""What panko-api makes of its command line and configuration, before it serves."""

import errno
import socket

import pytest

from panko import service
from panko.cmd.api import CLI_OPTS, find_reason, is_loopback, refuse_remote_noauth, server_settings
from panko.cmd.errors import CommandError


@pytest.fixture
def configured(tmp_path):
    """Return the configuration of a command line and the text of a file."""

    def configure(*arguments, content=""):
        file = tmp_path / "panko.conf"
        file.write_text(content)
        return service.prepare_service(
            ["panko-api", *arguments], config_files=[str(file)], share=True, cli_opts=CLI_OPTS
        )

    return configure


def test_the_section_api_says_how_to_serve(configured):
    content = "[api]\nhost = 192.0.2.1\nport = 80\nworkers = 3\nthreads = 5\ngraceful_timeout = 7\n"
    settings = server_settings(configured(content=content))
    assert (settings.host, settings.port) == ("192.0.2.1", 80)
    assert (settings.workers, settings.threads, settings.graceful_timeout) == (3, 5, 7)


def test_the_command_line_counts_more(configured):
    arguments = ("-b", "127.0.0.1", "-p", "81", "--workers", "1", "--threads", "2")
    settings = server_settings(configured(*arguments, content="[api]\nhost = 192.0.2.1\nport = 80\nworkers = 3\n"))
    assert (settings.host, settings.port, settings.workers, settings.threads) == ("127.0.0.1", 81, 1, 2)


def test_the_section_default_says_nothing_about_it(configured):
    settings = server_settings(configured(content="[DEFAULT]\nhost = 192.0.2.1\nport = 80\nworkers = 99\n"))
    assert (settings.host, settings.port) == ("0.0.0.0", 8977)
    assert 1 <= settings.workers <= 8


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_this_machine_alone(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "no-such-host.invalid"])
def test_other_addresses_may_be_reached_from_outside(host):
    assert not is_loopback(host)


def test_keystone_is_served_anywhere(configured):
    refuse_remote_noauth(configured(), "0.0.0.0")


def test_noauth_is_served_on_loopback_alone(configured):
    conf = configured("--pipeline", "panko+noauth")
    refuse_remote_noauth(conf, "127.0.0.1")
    with pytest.raises(CommandError, match="--allow-remote-noauth"):
        refuse_remote_noauth(conf, "0.0.0.0")


def test_noauth_is_served_anywhere_where_that_is_allowed(configured):
    refuse_remote_noauth(configured("--pipeline", "panko+noauth", "--allow-remote-noauth"), "0.0.0.0")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("no room"), "no room"),
        (OSError(errno.EACCES, "Permission denied (address 'x')"), "Permission denied"),
        (socket.gaierror(-2, "Name unknown"), "Name unknown"),
    ],
)
def test_the_reason_of_an_error_is_never_success(error, reason):
    assert find_reason(error) == reason
