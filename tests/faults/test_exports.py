# SPDX-License-Identifier: Apache-2.0
"""An export that is killed at any moment, or whose database fails, is complete when it has been run again."""

import itertools
import random
import signal
import subprocess
import time

import pytest
import zstandard

from benchmarks import dataset
from panko import service, storage
from tests.functional.cmd.processes import COMMANDS, TIMEOUT, environment, run

EVENTS = 8000
SEED = 14


def load(url, directory):
    """Store events, and return the configuration file and the events as lines."""
    config_file = directory / "panko.conf"
    config_file.write_text(f"[database]\nconnection = {url}\nmax_retries = 0\n")
    conf = service.prepare_service([], config_files=[str(config_file)], share=True)
    connection = storage.get_connection_from_config(conf)
    connection.upgrade()
    for batch in dataset.batches(dataset.events(EVENTS, seed=SEED, raw=True), 1000):
        connection.record_events(batch)
    connection.close()
    done = run("panko-export", "--config-file", str(config_file))
    assert done.returncode == 0
    assert done.stdout.count("\n") == EVENTS
    return str(config_file), done.stdout.encode()


def exporting(config_file, path):
    command = [COMMANDS / "panko-export", "--config-file", config_file, "--output", path]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=environment())


def wait_for_growth(process, path, size):
    """Wait until a file has more than a number of bytes; return False if the process ends before."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if path.exists() and path.stat().st_size > size:
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.0002)
    raise AssertionError("the file does not grow")


def decoded(path):
    content = path.read_bytes()
    if path.suffix != ".zst":
        return content
    return zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress(content)


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.zst"])
def test_a_killed_export_goes_on_until_it_is_complete(tmp_path, sqlite_url, name):
    config_file, lines = load(sqlite_url, tmp_path)
    path = tmp_path / name
    rnd = random.Random(SEED)
    # zstd makes a sixth of the events.
    part = len(lines) // (12 if path.suffix == ".zst" else 2)
    is_complete = False
    kills = 0
    while not is_complete:
        size = path.stat().st_size if path.exists() else 0
        with exporting(config_file, path) as process:
            if wait_for_growth(process, path, size + rnd.randrange(part)):
                time.sleep(rnd.random() * 0.02)
                process.kill()
            is_complete = process.wait(TIMEOUT) == 0
            assert is_complete or process.returncode == -signal.SIGKILL
        if not is_complete:
            # As if the kernel had not written everything: what it writes is not only whole batches.
            content = path.read_bytes()
            path.write_bytes(content[: len(content) - rnd.randrange(0, 2000)])
            kills += 1
    assert kills
    assert decoded(path) == lines


def test_an_export_goes_on_after_its_database_has_failed(tmp_path, private_postgresql):
    config_file, lines = load(private_postgresql.create_database("panko"), tmp_path)
    for number in itertools.count():
        path = tmp_path / f"events-{number}.jsonl"
        with exporting(config_file, path) as process:
            if not wait_for_growth(process, path, 0):
                continue
            process.send_signal(signal.SIGSTOP)
            if path.stat().st_size > len(lines) / 2:  # It may have read all events already.
                process.kill()
                continue
            private_postgresql.kill()
            process.send_signal(signal.SIGCONT)
            assert process.wait(TIMEOUT) == 1
            stderr = process.stderr.read().decode()
            break
    assert stderr.startswith("panko-export: The database does not answer.")
    assert stderr.endswith(f" Run the same again, and it goes on in {path}.\n")
    assert stderr.count("\n") == 1
    assert 0 < len(path.read_bytes()) < len(lines)
    private_postgresql.start()
    done = run("panko-export", "--config-file", config_file, "--output", str(path))
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == lines
