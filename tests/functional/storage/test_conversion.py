# SPDX-License-Identifier: Apache-2.0
"""The conversion of databases that Panko 10 made."""

import contextlib
import datetime
import itertools
import json
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from panko.storage import EventFilter
from panko.storage.base import Connection
from panko.storage.errors import (
    ConversionConflict,
    ConversionIncomplete,
    OldSchema,
    PermissionDenied,
    SchemaMismatch,
    StatementFailed,
)
from panko.storage.feed import Start
from panko.storage.sqlalchemy.conversion import old_events, progress
from panko.storage.sqlalchemy.conversion.old_events import Rejected, _count_fitting
from panko.storage.sqlalchemy.dialects.mysql import MySQL
from panko.storage.sqlalchemy.tables import metadata_of
from tests.functional import panko10
from tests.functional.api.conftest import load_json, parse_event
from tests.functional.storage.builders import event, found
from tests.functional.storage.contract.read_feed import follow
from tests.functional.storage.test_migrations import Died, describe, dying_after
from tests.functional.storage.workers import connected, run_at_once

EVENTS = 46
"""Events of Panko 10 in the dumps."""


@pytest.fixture
def storage(engine, any_url) -> Iterator[Connection]:
    """A connection to a database of Panko 10."""
    panko10.load(engine)
    with connected(any_url) as connection:
        yield connection


def convert(connection: Connection) -> list[int]:
    """Convert a database, and return the numbers of events that were reported."""
    steps: list[int] = []
    connection.upgrade()
    conversion = connection.get_conversion()
    conversion.run(steps.append)
    return steps


def rejected(connection: Connection) -> list[dict]:
    """Return the rows that were rejected."""
    return [json.loads(row) for row in connection.get_conversion().rejected_rows()]


def contents(connection: Connection) -> dict[str, tuple]:
    """Return all stored events by message_id, in a form that can be compared."""
    return {each.message_id: panko10.content(each)[1:] for each in connection.get_events(EventFilter())}


def recorded() -> dict[str, tuple]:
    """Return the conformance events, in the same form."""
    events: dict[str, tuple] = {}
    for form in load_json("events.json"):
        events.setdefault(form["message_id"], panko10.content(parse_event(form))[1:])
    return events


def tables(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names())


def test_events_are_the_same_after_the_conversion(storage) -> None:
    assert sum(convert(storage)) == EVENTS
    assert contents(storage) == recorded()
    assert rejected(storage) == []
    state = storage.get_conversion().read_state()
    assert (state.events, state.done, state.is_complete) == (EVENTS, EVENTS, True)


def test_schema_is_that_of_a_new_database(storage, engine, any_url) -> None:
    """Also after the tables of Panko 10 were dropped, which leaves nothing of them."""
    convert(storage)
    storage.get_conversion().verify(lambda count: None)
    storage.get_conversion().drop_old()
    assert storage.get_conversion() is None
    converted, names = describe(engine), tables(engine)
    metadata = sa.MetaData()
    metadata.reflect(engine)
    metadata.drop_all(engine)
    storage.upgrade()
    assert (describe(engine), tables(engine)) == (converted, names)


def test_database_with_a_revision_is_converted(any_url, engine) -> None:
    panko10.load(engine, revision=True)
    with connected(any_url) as storage:
        with pytest.raises(OldSchema):
            storage.check_schema()
        convert(storage)
        storage.check_schema()
        assert contents(storage) == recorded()


def test_empty_database_of_panko_10_is_converted(storage, engine) -> None:
    panko10.empty(engine)
    assert convert(storage) == []
    assert contents(storage) == {}
    assert storage.get_conversion().read_state().is_complete
    storage.get_conversion().verify(lambda count: None)
    storage.get_conversion().drop_old()
    storage.record_events([event("a")])
    assert found(storage) == ["a"]


def test_check_of_the_schema_asks_for_dbsync_and_changes_nothing(storage, engine) -> None:
    before = tables(engine)
    with pytest.raises(OldSchema, match=r"was made by Panko 10\. Stop Panko 10 and run panko-dbsync"):
        storage.check_schema()
    state = storage.get_conversion().read_state()
    assert (state.events, state.done, state.is_begun) == (EVENTS, 0, False)
    assert storage.get_conversion().estimate_space().new > 10_000
    assert storage.get_conversion().estimate_space().old > 50_000
    assert tables(engine) == before


def test_a_database_of_this_version_has_no_conversion(any_url, caplog) -> None:
    with connected(any_url) as storage:
        storage.upgrade()
        storage.check_schema()
        assert storage.get_conversion() is None
    assert "Panko 10" not in caplog.text


def test_services_can_be_used_during_the_conversion(storage, caplog) -> None:
    """Only a warning says that events are missing."""
    storage.upgrade()
    storage.check_schema()
    assert "0 events of Panko 10 are converted: run panko-dbsync" in caplog.text
    storage.record_events([event("new")])
    assert found(storage) == ["new"]
    convert(storage)
    assert contents(storage).keys() == {"new", *recorded()}
    caplog.clear()
    storage.check_schema()
    assert "Panko 10" not in caplog.text


def test_event_that_was_sent_again_meanwhile_is_stored_once(storage) -> None:
    storage.upgrade()
    storage.record_events([parse_event(load_json("events.json")[5])])
    convert(storage)
    assert contents(storage) == recorded()


def test_last_events_are_converted_first(storage, engine, monkeypatch) -> None:
    monkeypatch.setattr(old_events, "BATCH_EVENTS", 10)
    monkeypatch.setattr(old_events.OldEvents.read, "__defaults__", (10,))
    with engine.connect() as connection:
        ids = "SELECT message_id FROM event ORDER BY id DESC"
        names = list(connection.scalars(sa.text(ids)))
    assert convert(storage) == [10, 10, 10, 10, 6]
    in_feed = list(follow(storage, Start.OLDEST))
    assert set(in_feed[:10]) == set(names[:10])
    assert set(in_feed[-6:]) == set(names[-6:])


@pytest.mark.slow
def test_conversion_goes_on_wherever_it_died(storage, engine, monkeypatch) -> None:
    """At each statement of the schema where it is committed, and at many others; rejected rows are reported once."""
    monkeypatch.setattr(old_events.OldEvents.read, "__defaults__", (7,))
    panko10.insert(engine, "trait_text", ((number, "orphan", "x") for number in range(7000, 7010)))
    # Where changes of the schema are one transaction, to die at each of them is always the same.
    for statement in itertools.count(1, step=1 if engine.dialect.name == "mysql" else 12):
        try:
            with dying_after(statement):
                convert(storage)
            break
        except Died:
            pass
    assert statement > 15
    assert contents(storage) == recorded()
    assert len(rejected(storage)) == 10
    assert storage.get_conversion().read_state().done == EVENTS
    storage.get_conversion().verify(lambda count: None)


@pytest.mark.slow
def test_two_conversions_at_once_store_each_event_once(storage, engine, any_url) -> None:
    panko10.add_events(engine, 2000)
    results = run_at_once(2, _convert_url, any_url)
    assert results.count(None) >= 1
    assert all(result is None or result.startswith(ConversionConflict.__name__) for result in results)
    assert len(contents(storage)) == EVENTS + 2000
    assert storage.get_conversion().read_state().done == EVENTS + 2000
    storage.get_conversion().verify(lambda count: None)


def test_a_process_whose_place_another_one_has_moved_ends(storage) -> None:
    """And adds no rejected row."""
    storage.upgrade()
    progress = storage.get_conversion()._progress
    progress.create()
    row = storage.get_conversion()._read_row()
    progress.advance(row, place=30)
    with pytest.raises(ConversionConflict, match="Another panko-dbsync converts the same database"):
        progress.advance(row, [Rejected("event", "reason", {"id": 1})], place=40)
    assert rejected(storage) == []
    assert storage.get_conversion()._read_row().place == 30


def _convert_url(number: int, url: str) -> None:
    with connected(url) as storage:
        convert(storage)


def test_rows_that_do_not_fit_are_rejected_with_the_reason(storage, engine) -> None:
    """The other parts of their events are stored."""
    time = panko10.stored_time(engine, panko10.START)
    rows = [
        (501, "good", time, None, 1),
        (502, "cut", time, '{"a": [1, 2', 1),
        (503, "nan", time, '{"a": NaN}', 1),
        (504, "huge", time, '{"a": 1e999}', 1),
        (505, None, time, "{}", 1),
        (506, "", time, "{}", 1),
        (507, "no type", time, "{}", None),
        (508, "missing type", time, "{}", 999),
        (509, "no time", None, "{}", 1),
    ]
    panko10.insert(engine, "event", rows)
    panko10.insert(engine, "trait_text", [(501, "a", "x"), (501, "empty", ""), (501, "null", None), (501, "", "x")])
    panko10.insert(engine, "trait_int", [(501, "a", 1), (505, "kept", 2), (400, "lost", 3)])
    panko10.insert(engine, "trait_datetime", [(501, "time", None), (9999, "lost", time)])
    assert sum(convert(storage)) == EVENTS + len(rows)
    stored = contents(storage)
    kind = stored["msg-000"][0]
    start = panko10.START
    assert stored["good"] == (kind, start, [("a", 1, "x"), ("a", 2, 1), ("empty", 1, "")], {})
    assert stored.keys() == {"good", "cut", "nan", "huge", *recorded()}
    for name in ("cut", "nan", "huge"):
        assert stored[name] == (kind, start, [], {})
    reasons = {(each["table"], *list(each["row"].values())[:2]): each["reason"] for each in rejected(storage)}
    assert len(rejected(storage)) == len(reasons) == 13
    assert reasons["trait_text", 501, "null"] == "trait null has no value"
    assert reasons["trait_text", 501, ""] == "it has no trait name"
    assert reasons["trait_int", 400, "lost"] == reasons["trait_datetime", 9999, "lost"] == "its event is missing"
    for id_, name in ((502, "cut"), (503, "nan"), (504, "huge")):
        assert reasons["event", id_, name].startswith("its raw notification is not valid JSON, so the event was stored")
    assert reasons["event", 505, None] == reasons["event", 506, ""] == "it has no message_id"
    assert reasons["event", 507, "no type"] == reasons["event", 508, "missing type"] == "it has no event_type"
    assert reasons["event", 509, "no time"].startswith("its time of generation is not readable")
    (whole,) = (each["row"] for each in rejected(storage) if each["row"].get("id") == 505)
    assert whole["traits"] == [["kept", 2, 2]]
    storage.get_conversion().verify(lambda count: None)


ODD = {
    "sqlite": [
        "INSERT INTO trait_text VALUES (1, 'nul', 'a' || char(0) || 'b'), (1, 'latin', CAST(x'e4' AS TEXT))",
        "INSERT INTO trait_int VALUES (1, 'words', 'many'), (1, 'wide', 9e30)",
        "INSERT INTO trait_float VALUES (1, 'infinite', 9e999)",
        "INSERT INTO trait_datetime VALUES (1, 'never', 'never')",
        "INSERT INTO event VALUES (600, CAST(x'e4' AS TEXT), '2024-01-01 00:00:00', '{}', 1)",
        "INSERT INTO event VALUES (601, 'year 10000', '10000-01-01 00:00:00', '{}', 1)",
    ],
    "postgresql": [
        "INSERT INTO trait_float VALUES (1, 'nan', 'NaN'), (1, 'infinite', '-Infinity')",
        "INSERT INTO trait_datetime VALUES (1, 'never', 'infinity'), (1, 'before', '0044-03-15 BC')",
        "INSERT INTO event VALUES (601, 'late', '11000-01-01', '{}', 1), (602, 'first', '-infinity', '{}', 1)",
    ],
    "mysql": [
        "INSERT INTO trait_text VALUES (1, 'nul', 'a\\0b')",
        "INSERT INTO trait_datetime VALUES (1, 'late', 99999999999999.999999)",
        "INSERT INTO event VALUES (601, 'late', 99999999999999.999999, '{}', 1)",
    ],
}
"""Values that only one of the databases can hold."""


def test_values_that_only_one_database_can_hold_are_rejected(storage, engine) -> None:
    statements = ODD[engine.dialect.name]
    panko10.execute(engine, *statements)
    convert(storage)
    rows = rejected(storage)
    assert len(rows) == sum(statement.count("(") - statement.count("CAST(") for statement in statements) - sum(
        statement.count("char(") for statement in statements
    )
    assert all(row["reason"] for row in rows)
    assert contents(storage) == recorded()
    storage.get_conversion().verify(lambda count: None)


TIMES = [
    datetime.datetime(1, 1, 1),
    datetime.datetime(1901, 5, 6, 7, 8, 9, 999999),
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime.datetime(1970, 1, 1),
    datetime.datetime(2024, 2, 29, 12, 0, 0, 1),
    datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
]


def test_times_are_exact(storage, engine) -> None:
    """To the microsecond, before 1970, and at both ends."""
    stored = [panko10.stored_time(engine, time) for time in TIMES]
    panko10.insert(engine, "event", ((700 + n, f"t{n}", time, "{}", 1) for n, time in enumerate(stored)))
    panko10.insert(engine, "trait_datetime", ((700 + n, "at", time) for n, time in enumerate(stored)))
    convert(storage)
    converted = contents(storage)
    for number, time in enumerate(TIMES):
        assert converted[f"t{number}"][1:3] == (time, [("at", 4, time)])
    assert rejected(storage) == []


def test_an_event_with_more_traits_than_a_batch_is_converted(storage, engine, monkeypatch) -> None:
    monkeypatch.setattr(old_events, "MAX_TRAIT_ROWS", 20)
    panko10.insert(engine, "trait_text", ((1, f"many-{number}", str(number)) for number in range(100)))
    assert sum(convert(storage)) == EVENTS
    stored = contents(storage)
    assert len(stored["msg-000"][2]) == len(recorded()["msg-000"][2]) + 100
    assert {name: stored[name] for name in stored if name != "msg-000"} == {
        name: wanted for name, wanted in recorded().items() if name != "msg-000"
    }


def test_many_traits_of_missing_events_are_rejected_once_each(storage, engine, monkeypatch) -> None:
    monkeypatch.setattr("panko.storage.sqlalchemy.conversion.converter.MAX_ORPHANS", 10)
    rows = [(id_, f"k{number}", number) for id_ in (-5, 900, 901, 902, 500_000) for number in range(7)]
    panko10.insert(engine, "trait_int", rows)
    convert(storage)
    assert sorted(tuple(each["row"].values()) for each in rejected(storage)) == sorted(
        (id_, key, value) for id_, key, value in rows
    )


@pytest.mark.parametrize(
    ("sizes", "count"), [([], 0), ([1], 1), ([9 << 20], 1), ([9 << 20, 1], 1), ([4 << 20] * 3, 2), ([0] * 1000, 1000)]
)
def test_a_batch_has_at_most_8_mib_of_notifications_or_one_event(sizes, count) -> None:
    assert _count_fitting(sizes) == count


def test_names_that_differ_only_in_case_or_spaces_stay_apart(storage, engine) -> None:
    if engine.dialect.name == "mysql":
        panko10.execute(engine, "ALTER TABLE event MODIFY message_id varchar(50) COLLATE utf8mb4_nopad_bin")
    time = panko10.stored_time(engine, panko10.START)
    names = ["name", "NAME", "name ", " name", "näme", "NÄME"]
    panko10.insert(engine, "event", ((800 + n, name, time, "{}", 1) for n, name in enumerate(names)))
    convert(storage)
    assert contents(storage).keys() == {*recorded(), *names}
    storage.get_conversion().verify(lambda count: None)


def test_verification_finds_a_missing_event(storage) -> None:
    convert(storage)
    with storage._engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM event WHERE message_id = 'msg-007'"))
    with pytest.raises(ConversionIncomplete, match=r"1 events of Panko 10 are missing, for example msg-007"):
        storage.get_conversion().verify(lambda count: None)


def test_verification_finds_a_changed_event(storage) -> None:
    convert(storage)
    with storage._engine.begin() as connection:
        connection.execute(sa.text("UPDATE event SET generated = generated + 1 WHERE message_id = 'msg-007'"))
    with pytest.raises(ConversionIncomplete, match=r"The event msg-007 of Panko 10 is not the one that is stored"):
        storage.get_conversion().verify(lambda count: None)


def test_verification_finds_a_changed_table(storage, engine) -> None:
    convert(storage)
    panko10.execute(engine, "INSERT INTO panko10_event (id, message_id) VALUES (999, 'late')")
    with pytest.raises(ConversionIncomplete, match=r"its table now has 47: keep it"):
        storage.get_conversion().verify(lambda count: None)


def test_verification_of_an_incomplete_conversion_fails(storage) -> None:
    storage.upgrade()
    with pytest.raises(ConversionIncomplete, match=r"Run panko-dbsync"):
        storage.get_conversion().verify(lambda count: None)


def test_expired_events_are_not_missing(storage, conf) -> None:
    convert(storage)
    storage.clear_expired_data(1)
    with pytest.raises(ConversionIncomplete):
        storage.get_conversion().verify(lambda count: None)
    storage._conversion._verification._time_to_live = 3600
    storage.get_conversion().verify(lambda count: None)


@pytest.mark.slow
def test_interrupted_drop_is_completed(storage, engine) -> None:
    convert(storage)
    for statement in itertools.count(1):
        conversion = storage.get_conversion()
        if conversion is None:
            break
        with contextlib.suppress(Died), dying_after(statement, "DROP", "UPDATE"):
            conversion.verify(lambda count: None)
            conversion.drop_old()
    assert not [name for name in tables(engine) if name.startswith("panko10_")]
    assert contents(storage) == recorded()


def test_tables_that_others_refer_to_are_not_dropped(storage, engine) -> None:
    """None of them: MariaDB would drop some before it comes to one that is referred to."""
    reference = "FOREIGN KEY (event_id) REFERENCES event (id)"
    panko10.execute(engine, f"CREATE TABLE mine (event_id INTEGER, {reference})", "INSERT INTO mine VALUES (3)")
    convert(storage)
    before = tables(engine)
    with pytest.raises(SchemaMismatch, match="a foreign key of the table mine refers to them"):
        storage.get_conversion().drop_old()
    assert tables(engine) == before
    panko10.execute(engine, "DROP TABLE mine")
    storage.get_conversion().verify(lambda count: None)
    storage.get_conversion().drop_old()
    assert storage.get_conversion() is None


def test_a_view_on_the_old_tables_is_named(postgresql_url) -> None:
    """PostgreSQL does not drop a table that a view reads."""
    engine = panko10.engine_of(postgresql_url)
    panko10.load(engine)
    panko10.execute(engine, "CREATE VIEW recent AS SELECT * FROM event")
    with connected(postgresql_url) as storage:
        convert(storage)
        with pytest.raises(StatementFailed) as raised:
            storage.get_conversion().drop_old()
        assert "cannot drop table panko10_event because other objects depend on it" in raised.value.detail
        panko10.execute(engine, "DROP VIEW recent")
        storage.get_conversion().drop_old()


def test_a_service_needs_no_privilege_on_the_old_tables(postgresql_server, postgresql_url, caplog) -> None:
    url = sa.make_url(postgresql_url)
    role = f"role_{url.database}"
    panko10.load(panko10.engine_of(postgresql_url))
    with connected(postgresql_url) as storage:
        storage.upgrade()
        names = ", ".join(table.name for table in metadata_of("postgresql").sorted_tables)
        grant = f"GRANT ALL ON alembic_version, {names} TO {role}"
        postgresql_server.execute(f"CREATE ROLE {role}; GRANT {role} TO panko; {grant}", url.database)
        try:
            storage.get_conversion().run(lambda count: None)
            service_url = url.set(query={"options": f"-crole={role}"}).render_as_string(hide_password=False)
            with connected(service_url) as service:
                service.check_schema()
                assert contents(service) == recorded()
        finally:
            postgresql_server.execute(f"DROP OWNED BY {role}; DROP ROLE {role}", url.database)
    assert "Whether all events of Panko 10 are converted is not known: permission denied" in caplog.text


def test_tables_of_panko_10_that_were_created_again_are_refused(storage, engine) -> None:
    """If a Panko 10 is upgraded after a panko-dbsync was killed between the two schemas on MariaDB."""
    names = panko10.TABLES
    for name in names:
        panko10.execute(engine, f"CREATE TABLE panko10_{name} AS SELECT * FROM {name}")
    with pytest.raises(SchemaMismatch, match="both as event and as panko10_event"):
        storage.upgrade()
    assert {*names, *(f"panko10_{name}" for name in names)} <= tables(engine)


def test_indexes_with_long_names_are_renamed(postgresql_url) -> None:
    """Even if they differ only at the end."""
    engine = panko10.engine_of(postgresql_url)
    panko10.load(engine)
    panko10.execute(engine, *(f"CREATE INDEX {'ä' * 28}{end} ON event (generated)" for end in "ab"))
    with connected(postgresql_url) as storage:
        convert(storage)
        assert contents(storage) == recorded()


@pytest.mark.parametrize("kind", ["TABLE", "VIEW"])
def test_what_others_have_is_not_touched(storage, engine, kind) -> None:
    """A table with the name of a new one would be dropped on MariaDB, as if a killed panko-dbsync had created it."""
    panko10.execute(engine, f"CREATE {kind} owner AS SELECT 'mine' AS name")
    before = tables(engine)
    for attempt in (storage.check_schema, storage.upgrade, storage.upgrade):
        with pytest.raises(SchemaMismatch, match="was made by Panko 10, but also has owner: Panko 11 needs this name"):
            attempt()
    assert tables(engine) == before
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT name FROM owner")) == "mine"


def test_table_left_of_an_earlier_conversion_is_named(any_url, engine) -> None:
    panko10.load(engine, revision=True)
    panko10.execute(engine, "CREATE TABLE panko10_alembic_version (version_num INTEGER)")
    with connected(any_url) as storage, pytest.raises(SchemaMismatch, match="also has panko10_alembic_version: "):
        storage.upgrade()


@pytest.mark.slow
def test_conversion_begins_again_after_panko_10_was_used_again(storage, engine) -> None:
    """Even if the tables about the first conversion were not dropped when the others got their names back."""
    panko10.insert(engine, "trait_int", [(7000, "lost", 1)])
    convert(storage)
    new = reversed(metadata_of(engine.dialect.name).sorted_tables)
    panko10.execute(engine, "DROP TABLE alembic_version", *(f"DROP TABLE {table.name}" for table in new))
    panko10.execute(engine, *(f"ALTER TABLE panko10_{name} RENAME TO {name}" for name in panko10.TABLES))
    panko10.add_events(engine, 10)
    state = storage.get_conversion().read_state()
    assert (state.events, state.done, state.is_begun) == (EVENTS + 10, 0, False)
    assert sum(convert(storage)) == EVENTS + 10
    assert len(contents(storage)) == EVENTS + 10
    assert len(rejected(storage)) == 1


@pytest.mark.slow
def test_event_that_is_too_large_for_the_database_is_rejected_as_a_whole(mysql_url, monkeypatch) -> None:
    """Although the rejected row is as large."""
    limit = 1 << 20
    # As if the server had a small max_allowed_packet, which would be that of other tests, too.
    packet = property(lambda dialect: limit, lambda dialect, read: None)
    monkeypatch.setattr(MySQL, "_max_statement_bytes", packet, raising=False)
    engine = panko10.engine_of(mysql_url)
    panko10.load(engine)
    traits = [(3, f"many-{number}", "x" * 250) for number in range(4400)]
    panko10.insert(engine, "trait_text", traits)
    with connected(mysql_url) as storage:
        assert sum(convert(storage)) == EVENTS
        assert contents(storage).keys() == recorded().keys() - {"msg-002"}
        (row,) = rejected(storage)
        storage.get_conversion().verify(lambda count: None)
    assert row["row"]["message_id"] == "msg-002"
    assert "are more than the database takes: see its max_allowed_packet" in row["reason"]
    assert {(name, value) for name, _, value in row["row"]["traits"]} >= {trait[1:] for trait in traits}
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT max(length(document)) FROM panko10_rejected")) < limit / 2


def test_rejected_rows_are_read_in_parts(storage, monkeypatch) -> None:
    monkeypatch.setattr(progress, "PART_CHARACTERS", 30)
    monkeypatch.setattr(progress, "PARTS", 3)
    storage.upgrade()
    table = storage.get_conversion()._progress
    table.create()
    rows = [Rejected("event", "x" * length, {"id": length}, length) for length in (1, 29, 200, 30)]
    table.advance(storage.get_conversion()._read_row(), rows)
    assert list(table.read_rejected()) == [row.document for row in rows]
    assert table.read_rejected_events() == {1, 29, 200, 30}


def test_user_that_does_not_own_the_tables_gets_one_line(postgresql_server, postgresql_url) -> None:
    """And nothing is changed."""
    url = sa.make_url(postgresql_url)
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    panko10.load(engine)
    for name in panko10.TABLES:
        postgresql_server.execute(f"ALTER TABLE {name} OWNER TO postgres; GRANT ALL ON {name} TO panko", url.database)
    before = tables(engine)
    with connected(postgresql_url) as storage, pytest.raises(PermissionDenied) as raised:
        storage.upgrade()
    assert "must be owner of table" in raised.value.detail
    assert "let the user own it" in raised.value.detail
    assert tables(engine) == before


def test_user_without_the_privilege_to_create_gets_one_line(mysql_server, mysql_url) -> None:
    """And nothing is changed."""
    url = sa.make_url(mysql_url)
    engine = sa.create_engine(url.set(drivername="mysql+pymysql"), poolclass=sa.NullPool)
    panko10.load(engine)
    name = f"u{url.database[-12:]}"
    mysql_server.execute(f"CREATE USER {name}; GRANT SELECT, INSERT, UPDATE, DELETE ON {url.database}.* TO {name}")
    before = tables(engine)
    try:
        user_url = url.set(username=name).render_as_string(hide_password=False)
        with connected(user_url) as storage, pytest.raises(PermissionDenied):
            storage.upgrade()
    finally:
        mysql_server.execute(f"DROP USER {name}")
    assert tables(engine) == before
