"""Who else is connected to a database, and who holds locks on its tables. Reads only."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text


def other_sessions(connection: Connection) -> list[str]:
    """A line for each other client of this database."""
    query = """
        SELECT pid, usename, coalesce(nullif(application_name, ''), 'unnamed') AS application,
               coalesce(host(client_addr), 'local') AS client, coalesce(state, 'unknown') AS state
        FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        ORDER BY pid"""
    return [
        f"session {row.pid} of {row.usename} ({row.application}, {row.client}): {row.state}"
        for row in connection.execute(text(query))
    ]


def lock_holders(connection: Connection, tables: Iterable[str]) -> list[str]:
    """A line for each other session that holds a lock on one of the named tables of ``public``."""
    query = """
        SELECT l.pid, a.usename, coalesce(nullif(a.application_name, ''), 'unnamed') AS application,
               string_agg(DISTINCT c.relname, ', ' ORDER BY c.relname) AS tables,
               coalesce(a.state, 'unknown') AS state,
               date_trunc('second', clock_timestamp() - a.xact_start)::text AS since
        FROM pg_locks l
        JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND n.nspname = 'public' AND c.relname = ANY(:tables)
        GROUP BY l.pid, a.usename, a.application_name, a.state, a.xact_start
        ORDER BY l.pid"""
    return [
        f"session {row.pid} of {row.usename} ({row.application}) holds {row.tables}: {row.state}"
        + (f", its transaction is {row.since} old" if row.since else "")
        for row in connection.execute(text(query), {"tables": list(tables)})
    ]
