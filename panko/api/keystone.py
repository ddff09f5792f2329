# SPDX-License-Identifier: Apache-2.0
"""Calls to Keystone that end in time, whatever Keystone does: each request has one deadline for all of its calls."""

import contextlib
import contextvars
import functools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from keystoneauth1.exceptions import ConnectTimeout
from keystonemiddleware import opts
from oslo_config import cfg

GROUP = "keystone_authtoken"

DEFAULT_TIMEOUT_SECONDS = 10
"""What http_connect_timeout is unless it is set; keystonemiddleware's own default waits forever."""

MAX_CALLS = 64
"""Calls that run at once in a process, those included that nobody waits for any more."""

_deadline: contextvars.ContextVar[float] = contextvars.ContextVar("keystone_deadline")


def register_options(conf: cfg.ConfigOpts) -> None:
    """Register the options of [keystone_authtoken], with a timeout by default."""
    for group, options in opts.list_auth_token_opts():
        conf.register_opts(options, group)
    conf.set_default("http_connect_timeout", DEFAULT_TIMEOUT_SECONDS, GROUP)


class KeystoneCalls:
    """Runs calls to Keystone in threads of their own, and waits for them until the deadline of the request.

    A timeout of a socket is for each read alone: it does not bound discovery, retries and an answer that comes byte by
    byte.

    :param timeout: seconds that all calls of one request may take
    """

    def __init__(self, timeout: float):
        self._timeout = timeout
        self._free = threading.BoundedSemaphore(MAX_CALLS)

    @contextlib.contextmanager
    def within_deadline(self) -> Iterator[None]:
        """Have all calls that are made meanwhile end by one deadline, which is the outer one if these are nested."""
        if _deadline.get(None) is not None:
            yield
            return
        token = _deadline.set(time.monotonic() + self._timeout)
        try:
            yield
        finally:
            _deadline.reset(token)

    def run(self, call: Callable, *args: Any, **kwargs: Any) -> Any:
        """Return what a call returns, or raise what it raises.

        :raises ConnectTimeout: if it has not ended by the deadline
        """
        with self.within_deadline():
            deadline = _deadline.get()
            if not self._free.acquire(timeout=max(0, deadline - time.monotonic())):
                raise _timeout_error()
            outcome: Future = Future()
            # In the same context, so that a call within the call has the same deadline.
            work = functools.partial(contextvars.copy_context().run, self._work, outcome, call, args, kwargs)
            # A daemon, so that a process can stop while Keystone is silent.
            threading.Thread(target=work, daemon=True).start()
            try:
                return outcome.result(max(0, deadline - time.monotonic()))
            except TimeoutError:
                if outcome.done():
                    # It raised this itself, or has ended at the last moment.
                    return outcome.result()
                raise _timeout_error() from None

    def _work(self, outcome: Future, call: Callable, args: tuple, kwargs: dict) -> None:
        try:
            outcome.set_result(call(*args, **kwargs))
        except BaseException as error:
            outcome.set_exception(error)
        finally:
            self._free.release()


def _timeout_error() -> ConnectTimeout:
    return ConnectTimeout(f"Keystone has not answered within [{GROUP}] http_connect_timeout")
