# SPDX-License-Identifier: Apache-2.0
"""When panko-expirer was last done."""

import sqlalchemy as sa
from alembic import op

from panko.storage.sqlalchemy.types import Timestamp

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "expirer_run",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("finished", Timestamp, nullable=False),
    )
