# SPDX-License-Identifier: Apache-2.0
"""How many events of a type there are in each five minutes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PERIOD = 5 * 60 * 10**6


def upgrade() -> None:
    cause = sa.Column("cause", sa.BigInteger, primary_key=True, autoincrement=False)
    op.create_table("event_count_change", *_key(), cause, _events(), sqlite_with_rowid=False)
    count = op.create_table("event_count", *_key(), _events(), sqlite_with_rowid=False)
    event = sa.table("event", sa.column("generated", sa.BigInteger), sa.column("event_type_id", sa.Integer))
    # Times before 1970 are negative, and so is what remains of them.
    remainder = (event.c.generated % PERIOD + PERIOD) % PERIOD
    periods = sa.select((event.c.generated - remainder).label("period"), event.c.event_type_id).subquery()
    counts = sa.select(*periods.c, sa.func.count()).group_by(*periods.c)
    op.execute(sa.insert(count).from_select(["period", "event_type_id", "events"], counts))


def _key() -> list[sa.Column]:
    return [
        sa.Column("period", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_type_id", sa.Integer, primary_key=True, autoincrement=False),
    ]


def _events() -> sa.Column:
    return sa.Column("events", sa.BigInteger, nullable=False)
