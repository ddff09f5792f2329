# SPDX-License-Identifier: Apache-2.0
"""Repeat a transaction that the database ended in favour of another."""

from collections.abc import Callable
from typing import TypeVar

from oslo_db import api as db_api

_Function = TypeVar("_Function", bound=Callable)


def repeated(exception_checker: Callable[[Exception], bool] = lambda error: False) -> Callable[[_Function], _Function]:
    """Return a decorator for a function that makes one transaction, and nothing else that lasts.

    It is called again after a deadlock, a lock timeout or a conflict with another node of a Galera cluster, up to 20
    times, with growing random pauses, so that two that conflict do not meet again.

    :param exception_checker: whether it is called again after another exception
    """
    return db_api.wrap_db_retry(
        retry_interval=0.01,
        max_retry_interval=1,
        retry_on_deadlock=True,
        exception_checker=exception_checker,
        jitter=True,
    )
