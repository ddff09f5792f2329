# SPDX-License-Identifier: Apache-2.0
"""Processes that start quickly: they are forked from one that has imported Panko."""

import multiprocessing

MODULES = [
    "alembic.autogenerate",
    "oslo_middleware.cors",
    "panko.api.app",
    "panko.cmd.api",
    "panko.cmd.dbsync",
    "panko.cmd.expirer",
    "panko.cmd.importer",
    "panko.cmd.status",
    "panko.storage.impl_sqlalchemy",
    "psycopg",
    "pymysql",
    "tests.functional.storage.workers",
]

# A fork of the test process, which has threads, might hang; the fork server has none.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(MODULES)
