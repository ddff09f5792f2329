# SPDX-License-Identifier: Apache-2.0
"""panko-status checks for what needs an operator's attention, and changes nothing."""

import datetime
import hashlib
import json
import sqlite3

import pytest
import sqlalchemy as sa

from tests.functional import panko10
from tests.functional.cmd.processes import free_port, run, said

SUCCESS, WARNING, FAILURE = range(3)
OPTIONS, POLICY, RULES, SCHEMA, HEALTH, CONVERSION, TIME_TO_LIVE, EXPIRER = (
    "Options are known",
    "Policy file in YAML",
    "Policy rules are known",
    "Database schema",
    "Database is healthy",
    "Events of Panko 10 converted",
    "Events are not kept forever",
    "panko-expirer runs",
)
ALL_WELL = dict.fromkeys((OPTIONS, POLICY, RULES, SCHEMA, HEALTH, CONVERSION, TIME_TO_LIVE, EXPIRER), SUCCESS)
A_DAY = "event_time_to_live = 86400\n"


def check(path):
    """Return results and details of the checks by name; assert that the exit code is the worst result."""
    done = run("panko-status", "--config-file", path, "upgrade", "check", "--json")
    assert said(done) == []
    checks = json.loads(done.stdout)["checks"]
    results = {each["check"]: each["result"] for each in checks}
    assert done.returncode == max(results.values())
    return results, {each["check"]: each["details"] for each in checks}


@pytest.fixture
def ready(configure):
    """A configuration file with a time to live, for a database with the current schema."""
    path = configure(A_DAY)
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    return path


def expired_ago(tmp_path, **when):
    """Set the time of the last run of panko-expirer."""
    with sqlite3.connect(tmp_path / "panko.sqlite") as connection:
        then = datetime.timedelta(**when) // datetime.timedelta(microseconds=1)
        assert connection.execute("UPDATE expirer_run SET finished = finished - ?", [then]).rowcount == 1
    connection.close()


def test_all_checks_succeed_if_the_expirer_runs(ready):
    assert run("panko-expirer", "--config-file", ready).returncode == 0
    assert check(ready)[0] == ALL_WELL
    table = run("panko-status", "--config-file", ready, "upgrade", "check")
    assert table.returncode == SUCCESS
    assert table.stdout.count("Result: Success") == len(ALL_WELL)


def test_all_checks_succeed_on_opensearch(configure, opensearch_url):
    """After panko-dbsync and panko-expirer; before, the schema is missing."""
    path = configure(A_DAY, url=opensearch_url)
    results, details = check(path)
    assert results[SCHEMA] == FAILURE
    assert details[SCHEMA] == f"The cluster {opensearch_url} has no schema yet. Run panko-dbsync."
    for command in ("panko-dbsync", "panko-expirer"):
        assert said(run(command, "--config-file", path)) == []
    assert check(path)[0] == ALL_WELL


@pytest.mark.parametrize(("hours", "result"), [(47, SUCCESS), (49, WARNING)])
def test_expirer_may_run_again_within_twice_the_time_to_live(ready, tmp_path, hours, result):
    run("panko-expirer", "--config-file", ready)
    expired_ago(tmp_path, hours=hours)
    results, details = check(ready)
    assert results == ALL_WELL | {EXPIRER: result}
    if result:
        assert "has not run since 20" in details[EXPIRER]
        assert "86400 s" in details[EXPIRER]


def test_an_expirer_that_never_ran_is_reported(ready):
    results, details = check(ready)
    assert results == ALL_WELL | {EXPIRER: WARNING}
    assert "has not run yet" in details[EXPIRER]


def test_events_that_are_kept_forever_are_reported(config_file):
    results, details = check(config_file)
    assert results == ALL_WELL | {TIME_TO_LIVE: WARNING}
    assert "[database] event_time_to_live" in details[TIME_TO_LIVE]


def test_a_schema_before_the_first_release_is_reported(ready, tmp_path):
    with sqlite3.connect(tmp_path / "panko.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    connection.close()
    results, details = check(ready)
    assert results == ALL_WELL | {SCHEMA: FAILURE, HEALTH: FAILURE, CONVERSION: FAILURE, EXPIRER: FAILURE}
    assert "panko.sqlite has the schema 0003 of a version before the first release." in details[SCHEMA]
    assert "empty database" in details[SCHEMA]


def test_a_missing_database_is_reported_and_not_created(configure, tmp_path):
    path = configure(A_DAY)
    results, details = check(path)
    assert results[SCHEMA] == FAILURE
    assert details[SCHEMA].endswith("Run panko-dbsync.")
    assert not (tmp_path / "panko.sqlite").exists()


def test_an_unreachable_database_is_reported_at_once(configure):
    url = f"postgresql://panko:hunter2@127.0.0.1:{free_port()}/panko"
    path = configure(A_DAY + "retry_interval = 3600\n", url=url)
    results, details = check(path)
    assert results[SCHEMA] == results[EXPIRER] == FAILURE
    assert details[SCHEMA].startswith("The database does not answer.")
    assert "hunter2" not in str(details)


def test_an_unknown_driver_is_reported(configure):
    _, details = check(configure(url="nosuch://host/db"))
    assert "There is no storage driver 'nosuch'" in details[SCHEMA]


@pytest.mark.parametrize(
    ("files", "section", "result", "text"),
    [
        ({"policy.yaml": '"segregation": "!"'}, "", SUCCESS, None),
        ({"policy.json": '{"segregation": "!"}'}, "", FAILURE, "oslopolicy-convert-json-to-yaml"),
        ({"policy.json": "{}", "policy.yaml": "{a: b}"}, "", WARNING, "is ignored"),
        ({"policy.yaml": '{"segregation": "!"}'}, "", FAILURE, "JSON-formatted"),
        ({"mine.json": "{}"}, "[oslo_policy]\npolicy_file = mine.json\n", FAILURE, "JSON-formatted"),
    ],
)
def test_a_policy_in_json_is_reported(configure, tmp_path, files, section, result, text):
    path = configure(section)
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    results, details = check(path)
    assert results[POLICY] == result
    assert (text or "") in (details[POLICY] or "")


def test_a_typo_is_reported_with_the_nearest_name(configure, tmp_path):
    path = configure("event_time_to_life = 86400\nevent_time_to_live = -5\n[apii]\nport = 80\n")
    (tmp_path / "policy.yaml").write_text('"telemetry:events:list": "role:admin"\n"segregaton": "!"')
    results, details = check(path)
    assert results[OPTIONS] == results[RULES] == WARNING
    for text in ("Did you mean event_time_to_live?", "Did you mean [api]?", "event_time_to_live is -5"):
        assert text in details[OPTIONS]
    assert "telemetry:events:list is not one of Panko's and has no effect. Did you mean" in details[RULES]
    assert "segregaton is not one of Panko's and has no effect. Did you mean segregation?" in details[RULES]


def test_an_unreadable_policy_is_reported(configure, tmp_path):
    path = configure()
    (tmp_path / "policy.yaml").write_text('"segregation": "role:member and"')
    results, details = check(path)
    assert results[RULES] == FAILURE
    assert details[RULES].startswith(str(tmp_path / "policy.yaml"))


def test_nothing_is_changed(ready, tmp_path):
    def state():
        return {path: hashlib.sha256(path.read_bytes()).digest() for path in tmp_path.iterdir()}

    run("panko-expirer", "--config-file", ready)
    before = state()
    check(ready)
    assert state() == before


def test_an_error_before_the_checks_is_one_line_and_not_a_result(tmp_path):
    done = run("panko-status", "--config-file", str(tmp_path / "nowhere.conf"), "upgrade", "check")
    assert done.returncode == 255
    assert len(said(done)) == 1


def test_events_of_panko_10_that_are_not_converted_are_reported(configure, sqlite_url):
    """And also its tables, until they are dropped."""
    engine = sa.create_engine(sqlite_url, poolclass=sa.NullPool)
    panko10.load(engine)
    path = configure(A_DAY)
    results, details = check(path)
    assert results == ALL_WELL | {SCHEMA: FAILURE, HEALTH: FAILURE, CONVERSION: FAILURE, EXPIRER: FAILURE}
    assert "was made by Panko 10. Stop Panko 10 and run panko-dbsync" in details[SCHEMA]
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    results, details = check(path)
    assert results[CONVERSION] == WARNING
    assert "run panko-dbsync --drop-old" in details[CONVERSION]
    panko10.execute(engine, "UPDATE panko10_conversion SET step = 'event', place = 20, done = 26")
    assert "26 of 46 events of Panko 10 are converted" in check(path)[1][CONVERSION]
    panko10.execute(engine, "DROP TABLE panko10_conversion", "DROP TABLE panko10_event")
    assert check(path)[0][CONVERSION] == SUCCESS
