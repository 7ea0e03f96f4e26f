"""Puts a backup in the place of the database: restored beside it, compared, then swapped by renaming."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError

from anime_pipeline.database.adoption.backup import OnEvent, ignore_event, one_at_a_time
from anime_pipeline.database.adoption.connections import (
    Which,
    autocommit,
    literal,
    quoted,
    transaction,
    url_of,
)
from anime_pipeline.database.adoption.errors import UNCHANGED, AdoptionError, in_words
from anime_pipeline.database.adoption.fingerprints import all_fingerprints
from anime_pipeline.database.adoption.manifest import NAME_FORMAT, Backup, check_files, find_backup, utc_now
from anime_pipeline.database.adoption.restoring import expect_content, restore_into
from anime_pipeline.database.adoption.scratch import beside, create_like, sweep
from anime_pipeline.database.adoption.sessions import other_sessions
from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings

_MAINTENANCE = ("postgres", "template1")
_SWAP_TRIES = 5
_MARK = "_restored_"
# Settings whose value is a list of names; said as one text, a list would become one name with commas in it.
_LISTS_OF_NAMES = frozenset(
    {"search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"}
)


@dataclass(frozen=True)
class Losses:
    """What a rollback would put aside: rows since the backup, and who is connected."""

    backup: str
    changes: tuple[str, ...]
    sessions: tuple[str, ...]


@dataclass(frozen=True)
class RolledBack:
    """What was done; ``kept_as`` is the database that was replaced, whole."""

    backup: str
    kept_as: str
    losses: Losses
    seconds: float


def losses(settings: Settings, name: str, which: Which = "studio") -> Losses:
    """What was written since a backup, by counts, largest ids and checksums. Reads only."""
    backup = find_backup(settings, name, which)
    check_files(backup)
    url = url_of(settings, which)
    with in_words("Looking at the database"), transaction(url, read_only=True) as connection:
        return Losses(backup.name, tuple(_changes(connection, backup)), tuple(other_sessions(connection)))


def rollback(
    settings: Settings, name: str, on_event: OnEvent = ignore_event, which: Which = "studio"
) -> RolledBack:
    """Restore backup ``name`` and put it in the database's place; ends the sessions of others.

    The replaced database is kept under a dated name. Raises AdoptionError; the database is then as before.
    """
    with one_at_a_time(settings, which):
        return _roll_back(settings, name, on_event, which)


def _roll_back(settings: Settings, name: str, on_event: OnEvent, which: Which) -> RolledBack:
    began = time.perf_counter()
    backup = find_backup(settings, name, which)
    on_event("looking at what was written since")
    set_aside = losses(settings, name, which)
    url = url_of(settings, which)
    database = url.database or ""
    restored = beside(database, f"{_MARK}{secrets.token_hex(4)}")
    kept_as = beside(database, f"_replaced_{utc_now().strftime(NAME_FORMAT).lower()}")
    maintenance = _maintenance_url(url)
    with in_words("Making a database for the backup"), autocommit(maintenance) as server:
        _require_rights(server, database)
        sweep(server, url, _MARK)
        create_like(server, database, restored)
    try:
        on_event("restoring beside the database")
        restore_into(url.set(database=restored), backup.dump, keep_owners=True)
        on_event("comparing the restored rows")
        expect_content(url.set(database=restored), backup.manifest.tables, "The restored backup")
        on_event("swapping")
        engine_for(settings).dispose()
        with in_words("Putting the backup in place"):
            _copy_settings(maintenance, database, restored)
            _swap(maintenance, database, restored, kept_as)
    except BaseException:
        with suppress(DBAPIError), autocommit(maintenance) as server:
            server.execute(text(f"DROP DATABASE IF EXISTS {quoted(server, restored)} WITH (FORCE)"))
        raise
    return RolledBack(backup.name, kept_as, set_aside, round(time.perf_counter() - began, 3))


def _changes(connection: Connection, backup: Backup) -> list[str]:
    found = all_fingerprints(connection)
    changes = []
    for name in sorted({*found, *backup.manifest.tables}):
        before, now = backup.manifest.tables.get(name), found.get(name)
        if now is None:
            changes.append(
                f"{name}: gone since the backup, comes back with {before.rows if before else 0} rows"
            )
        elif before is None:
            if now.rows:
                changes.append(f"{name}: new since the backup, with {now.rows} rows")
        elif (before.rows, before.max_id) != (now.rows, now.max_id):
            ids = f", largest id {before.max_id} then, {now.max_id} now" if now.max_id is not None else ""
            changes.append(f"{name}: {before.rows} rows then, {now.rows} now{ids}")
        elif before.checksum != now.checksum:
            changes.append(f"{name}: as many rows ({now.rows}), but their content has changed")
    return changes


def _require_rights(server: Connection, database: str) -> None:
    query = """SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) OR (
                   pg_has_role(datdba, 'USAGE')
                   AND (SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user))
               FROM pg_database WHERE datname = :name"""
    if not server.scalar(text(query), {"name": database}):
        user = server.scalar(text("SELECT current_user"))
        raise AdoptionError(
            f"{user} may not create and rename databases. {UNCHANGED}",
            f'As administrator: ALTER ROLE "{user}" CREATEDB; ALTER DATABASE "{database}" OWNER TO "{user}";',
        )


def _maintenance_url(url: URL) -> URL:
    """A database to stand in while the own one is renamed."""
    for name in _MAINTENANCE:
        with suppress(DBAPIError), autocommit(url.set(database=name)) as connection:
            connection.execute(text("SELECT 1"))
            return url.set(database=name)
    raise AdoptionError(
        f"Neither database {' nor '.join(_MAINTENANCE)} takes a connection, and one is needed for renaming. "
        f"{UNCHANGED}",
        'As administrator: GRANT CONNECT ON DATABASE postgres TO "…";',
    )


def _copy_settings(maintenance: URL, database: str, restored: str) -> None:
    """Give the restored database the owner, grants and settings of the one that it replaces."""
    with transaction(maintenance) as server:
        target = quoted(server, restored)
        names = {"name": database}
        owner = server.scalar(
            text("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = :name"), names
        )
        if owner != server.scalar(text("SELECT current_user")):
            server.execute(text(f"ALTER DATABASE {target} OWNER TO {quoted(server, str(owner))}"))
        query = """SELECT setting FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
                   CROSS JOIN unnest(s.setconfig) AS setting WHERE d.datname = :name AND s.setrole = 0"""
        for setting in server.scalars(text(query), names).all():
            key, _, value = str(setting).partition("=")
            held = _names_in(value) if key in _LISTS_OF_NAMES else [value]
            said = ", ".join(literal(one) for one in held)
            server.execute(text(f"ALTER DATABASE {target} SET {quoted(server, key)} = {said}"))
        query = """SELECT coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') AS grantee, privilege_type
                   FROM pg_database d CROSS JOIN aclexplode(d.datacl) WHERE d.datname = :name"""
        granted = server.execute(text(query), names).all()
        if granted:
            server.execute(text(f"REVOKE ALL ON DATABASE {target} FROM PUBLIC"))
        for grantee, privilege in granted:
            server.execute(text(f"GRANT {privilege} ON DATABASE {target} TO {grantee}"))


def _names_in(value: str) -> list[str]:
    """The names of a list as PostgreSQL stores it: quoted where they must be, between commas."""
    found = re.findall(r'"(?:[^"]|"")*"|[^\s,]+', value)
    return [name[1:-1].replace('""', '"') if name.startswith('"') else name for name in found]


def _swap(maintenance: URL, database: str, restored: str, kept_as: str) -> None:
    """Both renames in one transaction; sessions are ended first, again where a client comes back."""
    for attempt in range(1, _SWAP_TRIES + 1):
        try:
            with transaction(maintenance) as server:
                server.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(:names)"
                    ),
                    {"names": [database, restored]},
                )
                old, new, kept = (quoted(server, name) for name in (database, restored, kept_as))
                server.execute(text(f"ALTER DATABASE {old} RENAME TO {kept}"))
                server.execute(text(f"ALTER DATABASE {new} RENAME TO {old}"))
            return
        except DBAPIError as error:
            in_use = getattr(error.orig, "pgcode", None) == "55006"
            if not in_use or attempt == _SWAP_TRIES:
                raise
