"""What the reference supervisor knows, in one SQLite file: it is killed and started again without a loss."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS workers (
        worker_id TEXT PRIMARY KEY, registration TEXT NOT NULL, registered_at REAL NOT NULL,
        heartbeat_at REAL NOT NULL, heartbeat TEXT);
    CREATE TABLE IF NOT EXISTS events (
        position INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, worker_id TEXT NOT NULL,
        event TEXT NOT NULL, receipts INTEGER NOT NULL DEFAULT 1, received_at REAL NOT NULL);
    CREATE TABLE IF NOT EXISTS tasks (
        task_id TEXT PRIMARY KEY, task TEXT NOT NULL, received_at REAL NOT NULL);
    CREATE TABLE IF NOT EXISTS contexts (project_id TEXT PRIMARY KEY, context TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS outgoing (
        id INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, route TEXT NOT NULL,
        needs TEXT, message TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', worker_id TEXT,
        attempts INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0, answer TEXT);
"""

Row = dict[str, Any]


class Store:
    """The file ``<home>/supervisor.sqlite3``; may be used from several threads."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(home / "supervisor.sqlite3", check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def register(self, worker_id: str, registration: Mapping[str, Any], now: datetime) -> None:
        """Know a worker, or know it anew."""
        moment = now.timestamp()
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO workers (worker_id, registration, registered_at, heartbeat_at) "
                "VALUES (?, ?, ?, ?)",
                (worker_id, json.dumps(registration), moment, moment),
            )

    def heartbeat(self, worker_id: str, heartbeat: Mapping[str, Any], now: datetime) -> bool:
        """Note how a worker is; False for one that is not known."""
        with self._transaction() as database:
            done = database.execute(
                "UPDATE workers SET heartbeat_at = ?, heartbeat = ? WHERE worker_id = ?",
                (now.timestamp(), json.dumps(heartbeat), worker_id),
            )
            return done.rowcount > 0

    def forget(self, worker_id: str | None = None, silent_since: datetime | None = None) -> int:
        """Forget a worker, those that were silent for too long, or (neither given) all; how many."""
        with self._transaction() as database:
            done = database.execute(
                "DELETE FROM workers WHERE (? IS NULL OR worker_id = ?) AND (? IS NULL OR heartbeat_at < ?)",
                (worker_id, worker_id, *2 * (silent_since and silent_since.timestamp(),)),
            )
            return done.rowcount

    def workers(self) -> list[Row]:
        """Every worker that is known, with what it said."""
        return self._rows("SELECT * FROM workers ORDER BY worker_id", ("registration", "heartbeat"))

    def take_event(self, worker_id: str, event: Mapping[str, Any], now: datetime) -> bool:
        """Keep an event, once for its id; False where it was here before."""
        with self._transaction() as database:
            done = database.execute(
                "INSERT INTO events (event_id, worker_id, event, received_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (event_id) DO UPDATE SET receipts = receipts + 1 RETURNING receipts",
                (event["event_id"], worker_id, json.dumps(event), now.timestamp()),
            )
            return int(done.fetchone()[0]) == 1

    def events(self, limit: int = 10_000) -> list[Row]:
        """The events in the order in which they first came, the newest ``limit`` of them."""
        query = (
            f"SELECT * FROM (SELECT * FROM events ORDER BY position DESC LIMIT {limit:d}) ORDER BY position"
        )
        return self._rows(query, ("event",))

    def take_task(self, task: Mapping[str, Any], now: datetime) -> bool:
        """Keep a task, once for its id; False where it was here before."""
        with self._transaction() as database:
            done = database.execute(
                "INSERT OR IGNORE INTO tasks (task_id, task, received_at) VALUES (?, ?, ?)",
                (task["task_id"], json.dumps(task), now.timestamp()),
            )
            return done.rowcount > 0

    def tasks(self) -> list[Row]:
        """Every task, oldest first."""
        return self._rows("SELECT * FROM tasks ORDER BY received_at, task_id", ("task",))

    def set_context(self, project_id: str, context: Mapping[str, Any]) -> None:
        """What is known of a project's story."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO contexts VALUES (?, ?)", (project_id, json.dumps(context))
            )

    def context(self, project_id: str) -> dict[str, Any] | None:
        """What is known of a project's story, None for an unknown one."""
        rows = self._rows("SELECT * FROM contexts WHERE project_id = ?", ("context",), project_id)
        return dict(rows[0]["context"]) if rows else None

    def put_out(self, message_id: str, route: str, message: Mapping[str, Any], needs: str | None) -> bool:
        """Have a message sent to a worker (that can do ``needs``); False where its id is known."""
        with self._transaction() as database:
            done = database.execute(
                "INSERT OR IGNORE INTO outgoing (message_id, route, needs, message) VALUES (?, ?, ?, ?)",
                (message_id, route, needs, json.dumps(message)),
            )
            return done.rowcount > 0

    def outgoing(self, now: datetime | None = None) -> list[Row]:
        """Messages to workers, oldest first; with ``now`` those whose turn it is."""
        due = "WHERE state = 'waiting' AND not_before <= ?" if now else "WHERE ? IS NULL"
        moment = now.timestamp() if now else None
        return self._rows(f"SELECT * FROM outgoing {due} ORDER BY id", ("message",), moment)

    def note_sent(self, row_id: int, state: str, worker_id: str, answer: str, not_before: datetime) -> None:
        """What came of an attempt to send a message."""
        with self._transaction() as database:
            database.execute(
                "UPDATE outgoing SET state = ?, worker_id = ?, answer = ?, not_before = ?, "
                "attempts = attempts + 1 WHERE id = ?",
                (state, worker_id, answer, not_before.timestamp(), row_id),
            )

    def _rows(self, query: str, parsed: tuple[str, ...], *values: object) -> list[Row]:
        with self._lock:
            rows = [dict(row) for row in self._database.execute(query, values)]
        for row in rows:
            row |= {name: json.loads(row[name]) for name in parsed if row[name] is not None}
        return rows

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database:
            yield self._database
