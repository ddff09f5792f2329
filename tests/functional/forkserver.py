# SPDX-License-Identifier: Apache-2.0
"""Processes that start at once: they are forked from one that has imported Panko already."""

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

# A process forked from a test process, with its threads, might hang; the one that forks here has no others.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(MODULES)
