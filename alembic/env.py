# SPDX-License-Identifier: Apache-2.0
"""Run migrations on the connection that Panko passes, or on the database of alembic.ini during development."""

import sqlalchemy
from alembic import context

from panko.storage.sqlalchemy import tables

connection = context.config.attributes.get("connection")
if connection is None:
    connection = sqlalchemy.create_engine(context.config.get_main_option("sqlalchemy.url")).connect()
context.configure(
    connection=connection, target_metadata=tables.metadata_of(connection.dialect.name), render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
