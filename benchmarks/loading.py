# SPDX-License-Identifier: Apache-2.0
"""Databases of both sides with the same event set, loaded now or kept from an earlier run."""

import contextlib
import datetime
import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import dataset, peer_tables
from benchmarks.backends import BEFORE, OURS, THEIRS, Backend, SQLBackend
from benchmarks.peer import REQUIREMENTS
from benchmarks.progress import followed, say
from benchmarks.sides import ROOT, Side

BATCH = 1000
SAMPLE = 100
"""Number of events that are compared between both sides."""

LOAD_TIMEOUT = 3600
THEIR_FILES = (REQUIREMENTS, Path(peer_tables.__file__))
SHARED_FILES = tuple(f"panko/storage/{name}.py" for name in ("shapes", "ids", "owners", "serialization", "documents"))
SQL_FILES = (
    "alembic/versions/*.py",
    *(
        f"panko/storage/sqlalchemy/{name}.py"
        for name in ("tables", "types", "keys", "shapes", "catalog", "writer", "journal")
    ),
)
CLUSTER_FILES = tuple(f"panko/storage/opensearch/{name}.py" for name in ("mapping", "documents", "writer", "indices"))
"""The files that determine what is stored: if they change, kept data are not reused."""


@dataclass(frozen=True)
class Facts:
    """Facts about the event set for the cases: the event in its middle.

    :param events: size of the set
    :param marker: the event's message_id
    :param generated: its time, ISO 8601
    :param resource_id: its trait of that name, which has 5,000 values in the set
    """

    events: int
    marker: str
    generated: str
    resource_id: str

    @classmethod
    def of(cls, events: int) -> "Facts":
        """Return the facts about the event set of a size."""
        middle = next(itertools.islice(dataset.events(events), events // 2, None))
        resource_id = next(trait.value for trait in middle.traits if trait.name == "resource_id")
        return cls(events, middle.message_id, middle.generated.isoformat(), resource_id)

    @property
    def end(self) -> datetime.datetime:
        """A time after all events of the set."""
        return dataset.START + datetime.timedelta(seconds=self.events + 1)


class Loader:
    """Loads databases, and keeps them in a directory if there is one.

    :param events: size of the event set
    :param directory: directory of loaded databases to keep between runs; None: keep none
    :param before: work tree of an earlier commit, if that is a side
    """

    def __init__(self, backend: Backend, events: int, directory: Path | None, before: Path | None = None):
        self._backend = backend
        self._roots = {OURS: ROOT, BEFORE: before}
        self._events = events
        self._kept = directory / f"{backend.title.replace(', ', '-').replace(' ', '-')}-{events}" if directory else None
        self.load_seconds: list[float] = []
        """Seconds for each batch that was stored on our side."""

    @contextlib.contextmanager
    def loaded(self, make_side: Callable[[str], Side], sides: list[str]) -> Iterator[Facts]:
        """Start the backend, with the event set in the databases of the sides."""
        state = self._kept and self._kept / "loaded.json"
        known = json.loads(state.read_text()) if state and state.exists() else {"stamps": {}, "facts": None}
        try:
            self._backend.start(self._kept if known["stamps"] else None)
            wanted = {side: self._stamp(side) for side in sides}
            missing = [side for side in sides if known["stamps"].get(side) != wanted[side]]
            for name in missing:
                with make_side(name) as side:
                    self._load(side)
                self._backend.tidy(name)
            facts = Facts(**known["facts"]) if known["facts"] else Facts.of(self._events)
            if missing and self._kept:
                self._keep({"stamps": {**known["stamps"], **wanted}, "facts": asdict(facts)})
            yield facts
        finally:
            self._backend.stop()

    def _keep(self, state: dict) -> None:
        say(f"keeping the loaded databases in {self._kept}")
        shutil.rmtree(self._kept, ignore_errors=True)
        self._backend.save(self._kept)
        (self._kept / "loaded.json").write_text(json.dumps(state))

    def _load(self, side: Side) -> None:
        say(f"{self._backend.name}: loading {self._events:,} events into {side.name}")
        self._backend.create(side.name)
        expected = self._load_theirs(side) if side.name == THEIRS else self._load_ours(side)
        found = _run(side, do="sample", events=SAMPLE)
        if found != expected:
            raise SystemExit(f"{self._backend.name}: what {side.name} holds is not the event set; nothing is measured")
        stored = self._backend.count(side.name)
        if stored != self._events:
            raise SystemExit(f"{self._backend.name}: {side.name} holds {stored:,} events, not {self._events:,}")

    def _load_theirs(self, side: Side) -> list[dict]:
        """Fill the tables in bulk, and return the answer of Panko 10.0 about events that it has recorded itself."""
        _run(side, do="upgrade")
        _run(side, do="fill", events=SAMPLE, batch=SAMPLE)
        expected = _run(side, do="sample", events=SAMPLE)
        side.end()
        self._backend.create(side.name)
        _run(side, do="upgrade")
        peer_tables.fill(self._backend, self._events)
        return expected

    def _load_ours(self, side: Side) -> list[dict]:
        _run(side, do="upgrade")
        command = {"do": "fill", "events": self._events, "batch": BATCH}
        answers = side.follow(LOAD_TIMEOUT, **command)
        for answer in followed(answers, "record_events", -(-self._events // BATCH)):
            _check(side, answer)
            self.load_seconds.append(answer["sample"])
        return [{"event": dataset.plain(event)} for event in itertools.islice(dataset.events(self._events), SAMPLE)]

    def _stamp(self, side: str) -> str:
        root = self._roots.get(side)
        ours = SHARED_FILES + (SQL_FILES if isinstance(self._backend, SQLBackend) else CLUSTER_FILES)
        files = [path for name in ours for path in sorted(root.glob(name))] if root else THEIR_FILES
        return hashlib.sha256(b"".join(path.read_bytes() for path in (Path(dataset.__file__), *files))).hexdigest()


def _run(side: Side, **command) -> list[dict]:
    answers = list(side.follow(LOAD_TIMEOUT, **command))
    for answer in answers:
        _check(side, answer)
    return answers


def _check(side: Side, answer: dict) -> None:
    if "failed" in answer or "timeout" in answer:
        raise SystemExit(f"{side.name} cannot be loaded: {answer}")
