"""The server of an installation: the embedded PostgreSQL, or the one that ``ANIME_DATABASE_URL`` names.

Both give two databases: the domain's own, and one for Dagster's storage.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import URL

from anime_pipeline.database.embedded import DAGSTER_DATABASE, DATABASE, EmbeddedServer
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.external import check_reachable, create_database_if_missing, parse_url, render
from anime_pipeline.settings import Settings

_DOMAIN_SETTING = "ANIME_DATABASE_URL"
_DAGSTER_SETTING = "ANIME_DAGSTER_DATABASE_URL"


def ensure_server(settings: Settings) -> None:
    """Make both databases reachable: start or join the embedded server, or check the one that is named.

    The embedded server runs as long as some process that called this lives. Cheap to call again; it also
    restarts a server that was killed. Raises DatabaseError, which says what to do.
    """
    if settings.database_url is None:
        _embedded(settings.home).ensure()
    else:
        check_reachable(_domain_url(settings), _DOMAIN_SETTING)
        if settings.dagster_database_url is None:
            create_database_if_missing(_dagster_url(settings), _domain_url(settings), _DAGSTER_SETTING)
    if settings.dagster_database_url is not None or settings.database_url is not None:
        check_reachable(_dagster_url(settings), _DAGSTER_SETTING)
    _check_apart(_domain_url(settings), _dagster_url(settings))


def database_url(settings: Settings) -> str:
    """SQLAlchemy URL (``postgresql+psycopg2://``) of the domain database."""
    return render(_domain_url(settings))


def dagster_database_url(settings: Settings) -> str:
    """SQLAlchemy URL (``postgresql+psycopg2://``) of the database of Dagster's storage."""
    return render(_dagster_url(settings))


def keep_running(settings: Settings) -> None:
    """Let the embedded server outlive the processes that use it, until :func:`stop_server`."""
    if settings.database_url is None:
        _embedded(settings.home).keep_running()


def stop_server(settings: Settings) -> None:
    """Stop the embedded server now, also while others use it; a server of your own is left alone."""
    if settings.database_url is None:
        _embedded(settings.home).stop()


def _check_apart(domain: URL, dagster: URL) -> None:
    """Dagster has a table ``jobs`` too, and would take ours for its own."""
    if (domain.host, domain.port, domain.database) == (dagster.host, dagster.port, dagster.database):
        raise DatabaseError(
            f"{_DAGSTER_SETTING} names the same database as {_DOMAIN_SETTING}.",
            f"Give Dagster a database of its own, or unset {_DAGSTER_SETTING}.",
        )


@cache
def _embedded(home: Path) -> EmbeddedServer:
    return EmbeddedServer(home)


def _domain_url(settings: Settings) -> URL:
    if settings.database_url is None:
        return _embedded(settings.home).url(DATABASE)
    return parse_url(settings.database_url, _DOMAIN_SETTING)


def _dagster_url(settings: Settings) -> URL:
    if settings.dagster_database_url is not None:
        return parse_url(settings.dagster_database_url, _DAGSTER_SETTING)
    if settings.database_url is None:
        return _embedded(settings.home).url(DAGSTER_DATABASE)
    domain = _domain_url(settings)
    return domain.set(database=f"{domain.database}_dagster")
