# SPDX-License-Identifier: Apache-2.0
"""A private OpenSearch node: the minimal distribution, without plugins for security."""

import contextlib
import dataclasses
import http.client
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

from tests.servers.base import Server, checked_name
from tests.servers.opensearch_home import HOMES, java_version
from tests.servers.processes import ServerError, ServerMissing

DEFAULT_VERSION = "2.19.6"
FAST_START = "-XX:TieredStopAtLevel=1"
"""An option of Java, whose compiler then takes half the time, for code that is slower after minutes under load."""

_MEMORY = Path("/dev/shm")
_MIN_MEMORY_BYTES = 2**31
_TIMEOUT = 60.0

# What bin/opensearch passes to Java for each release, without its processes that find this out, which take seconds.
_JAVA_OPTIONS = """
-XX:+UseG1GC -XX:G1ReservePercent=25 -XX:InitiatingHeapOccupancyPercent=30 -XX:+ExitOnOutOfMemoryError
-Dopensearch.networkaddress.cache.ttl=60 -Dopensearch.networkaddress.cache.negative.ttl=10
-Djava.awt.headless=true -Dfile.encoding=UTF-8 -Djna.nosys=true -XX:-OmitStackTraceInFastThrow
-Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true -Dio.netty.recycler.maxCapacityPerThread=0
-Dio.netty.allocator.numDirectArenas=0 -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true
-Djava.util.concurrent.ForkJoinPool.common.threadFactory=org.opensearch.secure_sm.SecuredForkJoinWorkerThreadFactory
-Dopensearch.distribution.type=zip
"""

_LOGGING = """
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] [%node_name]%marker %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


@dataclasses.dataclass
class OpenSearch(Server):
    """An OpenSearch of one node; a database is all indices and templates whose names begin with its name.

    ``memory`` is set by the first start: the directory of the data of a server that is not durable, if the memory is
    large enough. Tests that create indices take less than half the time there.

    :param version: release, a key of ``HOMES``; by default PANKO_TEST_OPENSEARCH or 2.19.6
    :param heap: size of Java's heap in MiB
    :param java_options: further options of Java
    """

    version: str = dataclasses.field(default_factory=lambda: os.environ.get("PANKO_TEST_OPENSEARCH", DEFAULT_VERSION))
    heap: int = 512
    java_options: list[str] = dataclasses.field(default_factory=list)
    memory: str | None = None

    kind = "opensearch"
    stop_signal = signal.SIGTERM
    quit_signal = signal.SIGKILL
    # On a busy machine, release 3 takes most of a minute.
    start_timeout = 240.0

    def find_programs(self) -> None:
        """Find a Java, and download OpenSearch if it is missing.

        :raises ServerMissing: if one of them is not installed
        """
        if self.version not in HOMES:
            raise ServerMissing(f"OpenSearch {self.version} is unknown: choose one of {', '.join(HOMES)}")
        self._java = HOMES[self.version].java()
        self._home = HOMES[self.version].make()

    def initialise(self) -> None:
        """Create the directories."""
        if not self.durable and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MIN_MEMORY_BYTES:
            self.memory = tempfile.mkdtemp(prefix="panko-opensearch-", dir=_MEMORY)
            self._give(Path(self.memory))
        # OpenSearch creates a file of secrets beside its configuration.
        self.path("config").mkdir(mode=0o700)
        self._give(self.path("config"))

    def _give(self, path: Path) -> None:
        """Make the account of the server the owner of the path."""
        identity = self.account()
        if identity:
            os.chown(path, identity["user"], identity["group"])

    def doomed(self) -> list[str]:
        """Return the directories that are removed if the owner dies."""
        return [*super().doomed(), *([self.memory] if self.memory else [])]

    def destroy(self) -> None:
        """Stop the server as fast as possible and remove its data; a later ``start`` begins with an empty one.

        The first server that is not durable stops cleanly, and thereby saves the classes for later servers.
        """
        if self.pid is not None and self._records_classes:
            with contextlib.suppress(ServerError):
                self.stop()
            self._save_classes()
        super().destroy()
        if self.memory:
            shutil.rmtree(self.memory, ignore_errors=True)
            self.memory = None

    @property
    def _classes(self) -> Path:
        """An archive of the loaded classes, from which Java starts in half the time."""
        return self._home / f"classes-{java_version(self._java)}.jsa"

    @property
    def _records_classes(self) -> bool:
        return HOMES[self.version].shares_classes and not self.durable and not self._classes.exists()

    def _save_classes(self) -> None:
        recorded, copy = self.path("run", "classes.jsa"), self._classes.with_suffix(f".{os.getpid()}")
        if recorded.exists():
            shutil.copyfile(recorded, copy)
            copy.chmod(0o644)
            copy.rename(self._classes)

    def node_settings(self) -> dict[str, Any]:
        """Return what opensearch.yml contains."""
        return {
            "cluster.name": "panko-test",
            "node.name": "node0",
            "path.data": self.memory or str(self.path("data")),
            "path.logs": str(self.path("run")),
            "network.host": "127.0.0.1",
            "http.port": self.port,
            # Nothing else uses the port of a single node: any free one.
            "transport.port": 0,
            "discovery.type": "single-node",
            # The machine is shared: how full its disk is, is not for this server to judge.
            "cluster.routing.allocation.disk.threshold_enabled": False,
            "cluster.max_shards_per_node": 10000,
            **self.settings,
        }

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, logging to standard output."""
        config, temporary = self.path("config"), self.path("run")
        # JSON is YAML.
        for name, text in (("opensearch.yml", json.dumps(self.node_settings())), ("log4j2.properties", _LOGGING)):
            config.joinpath(name).write_text(text)
            config.joinpath(name).chmod(0o644)
        options = [f"-Xms{self.heap}m", f"-Xmx{self.heap}m", f"-XX:MaxDirectMemorySize={self.heap // 2}m"]
        options += _JAVA_OPTIONS.split()
        options += [option.format(home=self._home) for option in HOMES[self.version].options]
        if self._records_classes:
            options.append(f"-XX:ArchiveClassesAtExit={temporary}/classes.jsa")
        elif self._classes.exists():
            options.append(f"-XX:SharedArchiveFile={self._classes}")
        options += [f"-Djava.io.tmpdir={temporary}", f"-Djna.tmpdir={temporary}"]
        options += [f"-Dopensearch.path.home={self._home}", f"-Dopensearch.path.conf={config}"]
        options += [*([] if self.durable else [FAST_START]), *self.java_options]
        return [self._java, *options, "-cp", f"{self._home}/lib/*", "org.opensearch.bootstrap.OpenSearch"]

    def answers(self) -> bool:
        """Return whether the running server is ready, with all indices that it has."""
        try:
            self.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=0s")
        except ServerError:
            return False
        return True

    def request(self, method: str, path: str, body: Any = None, timeout: float = _TIMEOUT) -> Any:
        """Return the JSON document of the answer to a request.

        :param body: a value for JSON, or text as it is
        :param timeout: seconds for each step of the request
        :raises ServerError: if the server does not answer, or with an error
        """
        content = body if isinstance(body, str | None) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            said = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(f"{self.kind}: {method} {path}: {error!r}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ServerError(f"{self.kind}: {method} {path}: {response.status} {said}")
        return json.loads(said)

    def release(self) -> str:
        """Return the release of the running server."""
        return self.request("GET", "/")["version"]["number"]

    @property
    def address(self) -> str:
        """The address of the server as ``host:port``."""
        return f"127.0.0.1:{self.port}"

    def url(self, database: str) -> str:
        """Return the URL of the database, as in ``[database] connection``."""
        return f"opensearch://{self.address}/{database}"

    def create_database(self, name: str) -> str:
        """Return the URL of an empty database.

        :raises ValueError: if its name is not a plain one
        """
        return self.url(checked_name(name))

    def drop_database(self, name: str) -> None:
        """Delete all indices and templates whose names begin with the name."""
        self.request("DELETE", f"/{checked_name(name)}*?expand_wildcards=all")
        for kind, member in (("_index_template", "index_templates"), ("_component_template", "component_templates")):
            for each in self.request("GET", f"/{kind}?filter_path={member}.name").get(member, []):
                if each["name"].startswith(name):
                    self.request("DELETE", f"/{kind}/{each['name']}")
