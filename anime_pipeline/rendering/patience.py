"""Waiting for a database that restarts: seconds, not a lost night."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

DATABASE_GONE = (OperationalError, InterfaceError)
"""What SQLAlchemy raises for a connection that broke, is refused, or was closed under it."""
WAIT_SECONDS, TRIES = 1.0, 60
_log = logging.getLogger(__name__)
T = TypeVar("T")


def patiently(transaction: Callable[[], T]) -> T:
    """Run a transaction, again and again for a minute while the database is away.

    Only for transactions that may run twice: a commit whose answer was lost may have taken effect.
    """
    for _ in range(TRIES - 1):
        try:
            return transaction()
        except DATABASE_GONE as error:
            _log.warning("the database does not answer: %s", error)
            time.sleep(WAIT_SECONDS)
    return transaction()
