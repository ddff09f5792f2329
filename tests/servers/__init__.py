# SPDX-License-Identifier: Apache-2.0
"""Private PostgreSQL and MariaDB servers for tests and benchmarks, separate from those of the machine.

No existing package fits: pytest-postgresql and pytest-mysql differ from each other
and cannot crash and restart a server, pifpaf cannot run PostgreSQL for root nor MariaDB on TCP, and
testing.postgresql and testing.mysqld have had no release since 2016.
"""

import signal
import subprocess
from pathlib import Path

from tests.servers.base import Server, SQLServer, checked_name
from tests.servers.processes import ServerError, ServerMissing, find_program, unprivileged

__all__ = ["MariaDB", "PostgreSQL", "SQLServer", "Server", "ServerError", "ServerMissing"]


class PostgreSQL(SQLServer):
    """A PostgreSQL server; databases belong to the ordinary role "panko", UTF8 with locale C.UTF-8.

    Only ``execute`` works as superuser, through a socket that other accounts cannot reach: a superuser on TCP
    without a password would let any account of the machine run programs as the account that runs the tests.
    """

    kind = "postgresql"
    # The "fast" shutdown ends connections first; the "immediate" one also omits the checkpoint.
    stop_signal = signal.SIGINT
    quit_signal = signal.SIGQUIT
    # The role may also see what its other connections do, and end them.
    set_up = "CREATE ROLE panko LOGIN CREATEDB; GRANT pg_monitor, pg_signal_backend TO panko"

    def find_programs(self) -> None:
        """Find the programs of the server.

        :raises ServerMissing: if they are not installed
        """
        versions = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
        newest_first = sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
        initdb = Path(find_program("initdb", "postgresql", [*map(str, newest_first)])).resolve()
        self._initdb = str(initdb)
        # Use the server beside it: one of another version would refuse the data.
        self._postgres = str(initdb.with_name("postgres"))
        self._psql = find_program("psql", "postgresql-client", [str(initdb.parent)])

    def initialise(self) -> None:
        """Initialize the empty data directory."""
        options = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust", "--username=postgres", "--no-sync"]
        self.run([self._initdb, f"--pgdata={self.path('data')}", *options], **unprivileged())
        access = self.path("pg_hba.conf")
        access.write_text("local all all trust\nhost all panko 127.0.0.1/32 trust\n")
        access.chmod(0o644)

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, logging to standard error."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.path("run")),
            "hba_file": str(self.path("pg_hba.conf")),
            "shared_buffers": "128MB",
            "max_connections": "200",
            # Segments in /dev/shm would outlive a killed server.
            "dynamic_shared_memory_type": "mmap",
        }
        if not self.durable:
            settings |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")
        settings |= self.settings
        assignments = [f"--{name}={value}" for name, value in settings.items()]
        return [self._postgres, "-D", str(self.path("data")), *assignments]

    def execute(self, sql: str, database: str | None = None) -> str:
        """Run SQL as the server's superuser.

        :returns: the rows as lines, with tabs between columns
        :raises ServerError: with the server's message
        """
        where = [f"--host={self.path('run')}", f"--port={self.port}", "--username=postgres"]
        how = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator=\t"]
        stop = "--set=ON_ERROR_STOP=1"
        return self.run([self._psql, *where, *how, stop, f"--command={sql}", database or "postgres"])

    def url(self, database: str) -> str:
        """Return the URL of the database, in the form of SQLAlchemy, without a driver."""
        return f"postgresql://panko@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL.

        :raises ValueError: if its name needs quotes
        """
        self.execute(f"CREATE DATABASE {checked_name(name)} OWNER panko TEMPLATE template0 ENCODING 'UTF8'")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop the database if it exists, ending the connections to it."""
        self.execute(f"DROP DATABASE IF EXISTS {checked_name(name)} WITH (FORCE)")

    def destroy(self) -> None:
        """Stop the server as fast as possible and remove its data; a later ``start`` begins with an empty one."""
        segments = self._left_segments() if self.directory and self.pid is None else []
        super().destroy()
        for segment in segments:
            subprocess.run(["ipcrm", "--shmem-id", segment], check=False, capture_output=True)

    def _left_segments(self) -> list[str]:
        """Return the id of the System V shared memory segment that a killed server leaves, if any."""
        lock_file = self.path("data", "postmaster.pid")
        key_and_id = lock_file.read_text().splitlines()[6:7] if lock_file.exists() else []
        return [line.split()[1] for line in key_and_id if line.strip()]


class MariaDB(SQLServer):
    """A MariaDB server; databases are utf8mb4 with its default collation, for root without a password."""

    kind = "mariadb"
    stop_signal = signal.SIGTERM
    quit_signal = signal.SIGKILL

    def find_programs(self) -> None:
        """Find the programs of the server.

        :raises ServerMissing: if they are not installed
        """
        directories = ["/usr/sbin", "/usr/libexec"]
        self._install = find_program("mariadb-install-db", "mariadb-server", directories)
        self._mariadbd = find_program("mariadbd", "mariadb-server", directories)
        self._client = find_program("mariadb", "mariadb-client", directories)

    def initialise(self) -> None:
        """Initialize the empty data directory."""
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        self.run([self._install, *self._options(), *options], **unprivileged())

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, logging to standard error."""
        return [
            self._mariadbd,
            *self._options(),
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--socket={self._socket}",
            f"--pid-file={self.path('run', 'mariadb.pid')}",
            "--skip-name-resolve",
            # Clients must not read or write files of the account that runs the tests.
            f"--secure-file-priv={self.path('run')}",
            "--max-connections=200",
            "--character-set-server=utf8mb4",
            *(f"--{name}={value}" for name, value in self.settings.items()),
        ]

    def _options(self) -> list[str]:
        """Return the options for the initialization and the server; the first one must come first."""
        options = ["--no-defaults", f"--datadir={self.path('data')}", f"--tmpdir={self.path('run')}"]
        options.append("--innodb-buffer-pool-size=256M")
        if not self.durable:
            options += ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]
            options += ["--skip-innodb-doublewrite"]
        return options

    @property
    def _socket(self) -> Path:
        return self.path("run", "mariadb.sock")

    def execute(self, sql: str, database: str | None = None) -> str:
        """Run SQL as root.

        :returns: the rows as lines, with tabs between columns
        :raises ServerError: with the server's message
        """
        where = ["--no-defaults", f"--socket={self._socket}", "--user=root"]
        how = ["--default-character-set=utf8mb4", "--batch", "--skip-column-names"]
        return self.run([self._client, *where, *how, f"--execute={sql}", *([database] if database else [])])

    def url(self, database: str) -> str:
        """Return the URL of the database, in the form of SQLAlchemy, without a driver."""
        return f"mysql://root@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL.

        :raises ValueError: if its name needs quotes
        """
        self.execute(f"CREATE DATABASE {checked_name(name)} CHARACTER SET utf8mb4")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop the database if it exists, ending the connections to it."""
        # DROP DATABASE would wait for transactions that a test has left open.
        query = f"SELECT id FROM information_schema.processlist WHERE db = '{checked_name(name)}'"
        for connection in self.execute(query).split():
            try:
                self.execute(f"KILL {connection}")
            except ServerError as error:
                if "Unknown thread id" not in str(error):
                    raise
        self.execute(f"DROP DATABASE IF EXISTS {name}")
