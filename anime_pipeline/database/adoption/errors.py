"""What can go wrong on the way, in words: cause, cure, and what state the database is in."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy.exc import DBAPIError

from anime_pipeline.database.errors import DatabaseError, MigrationError

UNCHANGED = "The database is as it was before."
_REMEDIES = {
    "42501": "Run as the owner of the tables (or a superuser); `anime-pipeline db verify` lists the rights.",
    "25006": "The server or the account is read-only: use one that may write.",
    "28P01": "Correct user and password in ANIME_DATABASE_URL.",
    "53100": "Free space on the server's disk, then run the command again.",
    "55P03": "End the session that holds the lock, or wait for it, then run the command again.",
    "57P01": "Somebody ended the connection or stopped the server. Run the command again.",
}
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FREE_SPACE = "Free space there, or set ANIME_HOME to a bigger disk, then run the command again."


class AdoptionError(DatabaseError):
    """A step of the adoption can't be done; ``findings`` are the single reasons, where there are several."""

    def __init__(self, message: str, remedy: str | None = None, findings: tuple[str, ...] = ()) -> None:
        listed = "".join(f"\n  - {finding}" for finding in findings)
        super().__init__(f"{message}{listed}", remedy)
        self.findings = findings


@contextmanager
def in_words(step: str, state: str = UNCHANGED) -> Iterator[None]:
    """Turn errors of the driver and of files inside ``step`` into an AdoptionError ending with ``state``."""
    try:
        yield
    except (DBAPIError, psycopg2.Error) as error:
        raise _of_driver(step, state, error.orig if isinstance(error, DBAPIError) else error) from error
    except MigrationError as error:
        raise AdoptionError(f"{step} failed: {error} {state}", error.remedy) from error
    except OSError as error:
        remedy = FREE_SPACE if error.errno in _NO_SPACE else "Check the folder's owner and rights."
        raise AdoptionError(f"{step} failed: {error}. {state}", remedy) from error


def _of_driver(step: str, state: str, error: BaseException | None) -> AdoptionError:
    code = getattr(error, "pgcode", None)
    lines = str(error).strip().splitlines() or ["the server gave no reason"]
    reason = next((line for line in lines if "FATAL:" in line), lines[0])
    remedy = _REMEDIES.get(code or "")
    if "password authentication failed" in reason:
        remedy = _REMEDIES["28P01"]
    if remedy is None and isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        remedy = (
            "The connection was lost or never made: see that the server runs, then run the command again."
        )
    return AdoptionError(f"{step} failed: {reason.strip()}. {state}", remedy)
