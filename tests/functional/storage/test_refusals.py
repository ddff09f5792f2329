# SPDX-License-Identifier: Apache-2.0
"""Events that the database itself refuses, for example by a trigger."""

import pytest
import sqlalchemy as sa

from panko.storage.errors import EventsRefused, StatementFailed
from panko.storage.sqlalchemy import errors
from tests.functional.storage.builders import event, found

TRIGGERS = {
    "postgresql": [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.message_id LIKE 'bad%' THEN RAISE EXCEPTION 'bad' USING ERRCODE = 'data_exception'; END IF;"
        " RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION refuse()",
    ],
    "mysql": [
        "CREATE TRIGGER refuse BEFORE INSERT ON event FOR EACH ROW IF NEW.message_id LIKE 'bad%' THEN"
        " SIGNAL SQLSTATE '22001' SET MYSQL_ERRNO = 1406, MESSAGE_TEXT = 'bad'; END IF",
    ],
}


@pytest.mark.parametrize("any_url", TRIGGERS, indirect=True)
@pytest.mark.parametrize("bad", [[3], [0, 9], range(10)])
def test_only_the_events_that_the_database_refuses_are_refused(any_storage, engine, bad):
    with engine.begin() as connection:
        for statement in TRIGGERS[engine.dialect.name]:
            connection.execute(sa.text(statement))
    any_storage.record_events([event("there")])
    events = [event(f"bad{number}" if number in bad else f"m{number}") for number in range(10)]
    with pytest.raises(EventsRefused) as raised:
        any_storage.record_events([*events, event("there")])
    refused = [refusal.event for refusal in raised.value.refusals]
    assert refused == [each for each in events if each.message_id.startswith("bad")]
    assert (raised.value.stored, raised.value.duplicates) == (10 - len(refused), 1)
    assert found(any_storage) == sorted([each.message_id for each in events if each not in refused] + ["there"])


@pytest.mark.parametrize("any_url", ["postgresql"], indirect=True)
def test_permanent_error_of_a_statement_is_not_reported_as_unavailable(any_storage):
    with (
        pytest.raises(StatementFailed, match="The database refused a statement"),
        errors.translate_errors(),
        any_storage._reader.connect() as connection,
    ):
        connection.execute(sa.text("SELECT 1 / 0"))
