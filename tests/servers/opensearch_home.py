# SPDX-License-Identifier: Apache-2.0
"""OpenSearch's programs from Maven Central, in a cache directory, and the Java that runs them."""

import contextlib
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from tests.servers.processes import ServerMissing, find_program

_POM = Path(__file__).with_name("opensearch_pom.xml")
_MACHINE_WIDE = Path("/var/cache/panko-tests")
_TIMEOUT = 500


@dataclass(frozen=True)
class Home:
    """The programs of one release.

    :param min_java: oldest Java that runs it
    :param max_java: newest Java that runs it
    :param java_package: a Debian package with such a Java
    :param options: options of Java that the release needs, with ``{home}`` for the directory of its programs
    :param shares_classes: whether Java can read its classes from an archive; not with an agent, such as release 3 has
    """

    version: str
    min_java: int
    max_java: int
    java_package: str
    options: tuple[str, ...]
    shares_classes: bool

    @property
    def directory(self) -> Path:
        """The directory of the programs, which may not exist yet."""
        return cache_directory() / f"opensearch-{self.version}"

    def java(self) -> str:
        """Return the path of a Java that runs this release.

        :raises ServerMissing: if there is none
        """
        for program in _installed_java():
            if self.min_java <= int(java_version(program).partition(".")[0]) <= self.max_java:
                return program
        wanted = f"Java {self.min_java} to {self.max_java}, for OpenSearch {self.version}, is not installed"
        raise ServerMissing(f"{wanted}: install the Debian package {self.java_package}, or set JAVA_HOME")

    def make(self) -> Path:
        """Return the directory of the programs; download them if they are missing, which takes up to a minute.

        :raises ServerMissing: if that fails, for example without a network
        """
        maven = find_program("mvn", "maven", [])
        # The last step of _download makes the directory, which therefore is complete.
        if not self.directory.exists():
            cache_directory().mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(f"{self.directory}.lock"):
                if not self.directory.exists():
                    self._download(maven)
        return self.directory

    def _download(self, maven: str) -> None:
        unpacked = Path(f"{self.directory}.part")
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir(mode=0o755)
        output = [f"-Dopensearch={self.version}", f"-DoutputDirectory={unpacked}"]
        command = [maven, "--quiet", "--batch-mode", f"--file={_POM}", "dependency:copy-dependencies", *output]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = (str(error.stdout or "").strip() or str(error)).splitlines()[0]
            raise ServerMissing(f"{self.directory} cannot be made: have Maven Central within reach: {said}") from error
        with zipfile.ZipFile(unpacked / f"opensearch-{self.version}.zip") as archive:
            archive.extractall(unpacked)
        home = unpacked / f"opensearch-{self.version}"
        for module in (home / "modules").iterdir():
            # Each module makes the start slower, and the driver uses none but the HTTP server.
            if module.name != "transport-netty4":
                shutil.rmtree(module)
        # The servers of root run as another account.
        subprocess.run(["chmod", "--recursive", "a+rX", home], check=True)
        home.rename(self.directory)
        shutil.rmtree(unpacked)


def cache_directory() -> Path:
    """Return the directory of programs that all checkouts of this user share.

    The servers of root run as another account, which cannot read what is in the home directory of root.
    """
    if os.geteuid() == 0:
        return _MACHINE_WIDE
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "panko-tests")


def _installed_java() -> Iterator[str]:
    """Yield the Java of JAVA_HOME, that in PATH, and all that Debian packages have installed."""
    if os.environ.get("JAVA_HOME"):
        yield f"{os.environ['JAVA_HOME']}/bin/java"
    in_path = shutil.which("java")
    if in_path:
        yield in_path
    yield from sorted(map(str, Path("/usr/lib/jvm").glob("*/bin/java")))


def java_version(java: str) -> str:
    """Return the version of a Java, such as 17.0.15, or 0 if it is unknown."""
    with contextlib.suppress(OSError):
        text = Path(java).resolve().parents[1].joinpath("release").read_text()
        found = re.search(r'^JAVA_VERSION="(\d[\d.]*)', text, re.MULTILINE)
        return found[1] if found else "0"
    return "0"


HOMES = {
    home.version: home
    for home in (
        # Java 24 has no security manager.
        Home(
            "2.19.6",
            min_java=17,
            max_java=23,
            java_package="default-jre-headless",
            options=("-Djava.security.manager=allow", "-Djava.locale.providers=SPI,COMPAT"),
            shares_classes=True,
        ),
        Home(
            "3.6.0",
            min_java=21,
            max_java=99,
            java_package="openjdk-21-jre-headless",
            options=(
                "-Djava.locale.providers=SPI,CLDR",
                "-javaagent:{home}/agent/opensearch-agent.jar",
                "--add-modules=jdk.incubator.vector",
                "--add-opens=java.base/java.nio=org.apache.arrow.memory.core,ALL-UNNAMED",
                "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
            ),
            shares_classes=False,
        ),
    )
}
"""The tested releases, by version."""
