# SPDX-License-Identifier: Apache-2.0
"""Run Ceilometer's notification agent as a process, and send it notifications as Nova does."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.functional.cmd.processes import TIMEOUT, environment
from tests.servers.rabbitmq import RabbitMQ

QUEUE = "notifications.info"
"""The queue from which the agent reads notifications."""

PIPELINE = """
sources:
    - name: event_source
      events:
          - "*"
      sinks:
          - event_sink
sinks:
    - name: event_sink
      publishers:
          - {publisher}
"""
"""Ceilometer's default pipeline with another publisher."""

# It runs in Ceilometer's environment, which has oslo.messaging, and prints a line for each notification sent.
_SERVICE = """
import json, sys
import oslo_messaging
from oslo_config import cfg
from oslo_context.context import RequestContext
conf = cfg.ConfigOpts()
conf([], default_config_files=[])
transport = oslo_messaging.get_notification_transport(conf, url=sys.argv[1])
notifier = oslo_messaging.Notifier(transport, "compute.host-1", driver="messagingv2", topics=["notifications"])
for line in sys.stdin:
    context, event_type, payload = json.loads(line)
    # The library drops the context if it is a dictionary.
    notifier.info(RequestContext.from_dict(context), event_type, payload)
    print("sent", flush=True)
"""


CONTEXT = {"request_id": "req-5e1c0b1f-6f0e-4b0e-9d57-2f6a3c6e5b11", "is_admin": False}
"""The context of a notification, from the request that caused it."""


@dataclass(frozen=True)
class Agent:
    """A running agent; ``log`` is its output so far."""

    log_file: Path
    service: subprocess.Popen[str]

    @property
    def log(self) -> str:
        """The output of the agent so far."""
        return self.log_file.read_text()

    def notify(self, event_type: str, payload: dict[str, Any], context: Mapping[str, Any] = CONTEXT) -> None:
        """Send a notification of a service; return when it is on the bus."""
        self.service.stdin.write(f"{json.dumps([dict(context), event_type, payload])}\n")
        self.service.stdin.flush()
        assert self.service.stdout.readline() == "sent\n"


def instance(project_id: str, **members: Any) -> dict[str, Any]:
    """Return the payload of a compute.instance.create.end with a new instance_id."""
    instance_id = "-".join(secrets.token_hex(count) for count in (4, 2, 2, 2, 6))
    return {
        "tenant_id": project_id,
        "user_id": "9f5b8f4a61e84aa3a8b4ab3e16b1d5f0",
        "instance_id": instance_id,
        "display_name": "web-1",
        "reservation_id": "r-2kq1z7yc",
        "hostname": "web-1",
        "instance_type": "m1.small",
        "instance_type_id": 2,
        "instance_flavor_id": "2",
        "architecture": "x86_64",
        "memory_mb": 2048,
        "disk_gb": 20,
        "vcpus": 1,
        "root_gb": 20,
        "ephemeral_gb": 0,
        "host": "host-1",
        "node": "host-1.example.org",
        "availability_zone": "nova",
        "cell_name": "",
        "created_at": "2026-01-02 03:03:57+00:00",
        "launched_at": "2026-01-02T03:04:05.678901",
        "terminated_at": "",
        "deleted_at": "",
        "image_ref_url": "http://glance.example.org/images/5a3b7b0e-76b5-43ad-9a3d-1f0b4d8a1b1c",
        "os_type": None,
        "kernel_id": "",
        "ramdisk_id": "",
        "state": "active",
        "state_description": "",
        "progress": "",
        "access_ip_v4": None,
        "access_ip_v6": None,
        "image_meta": {"container_format": "bare", "disk_format": "qcow2", "min_ram": "0", "min_disk": "20"},
        "metadata": {"role": "web"},
        "fixed_ips": [{"address": "192.0.2.7", "version": 4, "type": "fixed", "label": "private", "meta": {}}],
        "message": "Success",
        **members,
    }


@contextlib.contextmanager
def running_agent(
    programs: Path, broker: RabbitMQ, url: str, directory: Path, publisher: str | None = None, options: str = ""
) -> Iterator[Agent]:
    """Run an agent, wait until it listens, and stop it after the block.

    :param url: URL of a virtual host of the broker
    :param publisher: publisher in its event_pipeline.yaml; None: Ceilometer's default file is used
    :param options: further lines of its configuration file
    """
    config_file, log_file = directory / "ceilometer.conf", directory / "ceilometer.log"
    config_file.write_text(f"[DEFAULT]\ntransport_url = {url}\n{options}")
    if publisher:
        pipeline = directory / "event_pipeline.yaml"
        pipeline.write_text(PIPELINE.format(publisher=publisher))
        config_file.write_text(
            f"[DEFAULT]\ntransport_url = {url}\nevent_pipeline_cfg_file = {pipeline}\n{options}",
        )
    agent = [programs / "ceilometer-agent-notification", "--config-file", config_file]
    with log_file.open("wb") as log, _killed_in_the_end(agent, stdout=log, stderr=log, cwd=directory) as process:
        service = [programs / "python", "-W", "ignore", "-c", _SERVICE, url]
        pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with (directory / "service.log").open("wb") as log, _killed_in_the_end(service, stderr=log, **pipe) as sender:
            wait_until_it_listens(process, broker, url, log_file)
            yield Agent(log_file, sender)


@contextlib.contextmanager
def _killed_in_the_end(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen]:
    """Run a command in a new session, and kill the session after the block."""
    with subprocess.Popen(command, env=environment(), start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def wait_until_it_listens(process: subprocess.Popen, broker: RabbitMQ, url: str, log_file: Path) -> None:
    """Wait until the agent has created its queue."""
    deadline = time.monotonic() + TIMEOUT
    while QUEUE not in broker.queues(url.rpartition("/")[2]):
        assert process.poll() is None, f"the agent ended:\n{log_file.read_text()}"
        assert time.monotonic() < deadline, f"the agent does not listen:\n{log_file.read_text()}"
        time.sleep(0.1)
