# SPDX-License-Identifier: Apache-2.0
"""The processes of panko-collector."""

import os
import threading

import cotyledon
from oslo_config import cfg
from oslo_log import log

from panko import service
from panko.ingest import listener
from panko.ingest.collector import Collector
from panko.ingest.stats import Tally
from panko.storage.base import Connection

LOG = log.getLogger(__name__)

MAX_WORKERS = 8


class Worker(cotyledon.Service):
    """One process that listens, and stores what it hears.

    :param connection: storage, not connected
    """

    name = "panko-collector"

    def __init__(self, worker_id: int, conf: cfg.ConfigOpts, connection: Connection):
        super().__init__(worker_id)
        self._conf = conf
        self._connection = connection
        self._tally = Tally()
        self._stopping = threading.Event()
        self._listening = threading.Event()
        self._listener = None

    def run(self) -> None:
        """Listen, and tell of the counts from time to time, until the process is to end."""
        service.tune_gc(service.STORING_GC)
        secret = self._conf.collector.telemetry_secret
        collector = Collector(self._connection, secret, self._tally, self._stopping)
        self._listener = listener.make_listener(listener.make_transport(self._conf), self._conf, collector)
        # While one thread stores a batch, that of the library gathers the next one.
        self._listener.start(override_pool_size=1)
        self._listening.set()
        while not self._stopping.wait(self._conf.collector.log_interval):
            self._tell()

    def terminate(self) -> None:
        """Finish the batch at hand; what was taken from the queue beyond goes back there."""
        self._stopping.set()
        # A worker that has not got a connection to the broker yet has nothing to finish.
        if self._listening.is_set():
            self._listener.stop()
            self._listener.wait()
        self._tell()

    def _tell(self) -> None:
        news = self._tally.news()
        if news:
            LOG.info("Since worker %d began: %s", self.worker_id, news)


def make_manager(conf: cfg.ConfigOpts, connection: Connection) -> cotyledon.ServiceManager:
    """Return what starts the workers, starts one anew that dies, and ends them all by SIGTERM."""
    manager = cotyledon.ServiceManager(graceful_shutdown_timeout=conf.collector.graceful_timeout)
    workers = conf.collector.workers or min(len(os.sched_getaffinity(0)), MAX_WORKERS)
    manager.add(Worker, workers=workers, args=(conf, connection))
    return manager
