"""The embedded server of a home: the first command that needs it starts it, the last one out stops it."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from pathlib import Path
from threading import RLock

import psycopg2
from sqlalchemy import URL

from anime_pipeline.database import postmaster
from anime_pipeline.database.cluster import (
    HOST,
    SUPERUSER,
    cluster_folder,
    create_cluster,
    log_file,
    read_secrets,
)
from anime_pipeline.database.cluster_home import note_home
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.external import DRIVER, connect, create_database_if_missing
from anime_pipeline.database.server_log import ServerLog
from anime_pipeline.shared_process import UsersLock

DATABASE = "anime"
DAGSTER_DATABASE = "anime_dagster"


class EmbeddedServer:
    """One home's server, as this process sees it. Each method may be called at any time, from any thread."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._log = ServerLog(log_file(home))
        self._keep = home / "run" / "postgres.keep"
        self._guard = RLock()
        self._users: UsersLock | None = None
        self._user_pid: int | None = None

    def url(self, database: str) -> URL:
        """The URL of one of its databases; the server need not run, but must have run once."""
        values = read_secrets(cluster_folder(self._home))
        return URL.create(DRIVER, SUPERUSER, values.password, HOST, values.port, database)

    def ensure(self) -> None:
        """Become a user of the running server until this process ends, and start it where it doesn't run."""
        with self._guard:
            found = self._running()
            if self._user_pid == os.getpid() and found is not None and found.ready:
                return  # not while it stops or recovers: starting waits for the end of that
            try:
                self._enter_and_start()
            except OSError as error:
                raise DatabaseError(
                    f"The database can't be used in {self._home}: {error}",
                    "Check the owner and free space of that folder, or set ANIME_HOME to one of your own.",
                ) from error

    def keep_running(self) -> None:
        """Let the server outlive its users, until :meth:`stop` or the machine's restart."""
        self.ensure()
        found = self._running()
        if found is not None:
            self._keep.write_text(found.identity)

    def stop(self) -> None:
        """Stop the server now, whoever uses it."""
        if not self._home.exists():
            return
        with self._guard, UsersLock(self._home / "run", "postgres").starting():
            self._leave()
            self._keep.unlink(missing_ok=True)
            postmaster.stop(cluster_folder(self._home).resolve())

    def _running(self) -> postmaster.Postmaster | None:
        return postmaster.running(cluster_folder(self._home).resolve())

    def _enter_and_start(self) -> None:
        users = UsersLock(self._home / "run", "postgres")
        with users.starting():
            if self._user_pid != os.getpid():
                users.enter()
                self._users, self._user_pid = users, os.getpid()
                atexit.register(self._at_exit)
            self._start_if_needed()
            self._create_databases()

    def _start_if_needed(self) -> None:
        cluster = cluster_folder(self._home)
        data = cluster.resolve() if cluster.exists() else create_cluster(self._home)
        if cluster.is_symlink():
            note_home(data.parent, self._home)
        postmaster.start(data, self._log)

    def _create_databases(self) -> None:
        maintenance = self.url("postgres")
        try:
            create_database_if_missing(self.url(DATABASE), maintenance, "ANIME_DATABASE_URL")
            if create_database_if_missing(
                self.url(DAGSTER_DATABASE), maintenance, "ANIME_DAGSTER_DATABASE_URL"
            ):
                self._relax_dagster_database(maintenance)
        except psycopg2.OperationalError as error:
            raise DatabaseError(
                f"The embedded database takes no connection: {str(error).strip()}. Its log: {self._log.path}"
            ) from error

    def _relax_dagster_database(self, maintenance: URL) -> None:
        """Dagster's event log is written row by row; losing its last second in a power cut loses no work."""
        connection = connect(maintenance)
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER DATABASE {DAGSTER_DATABASE} SET synchronous_commit = off")
        finally:
            connection.close()

    def _at_exit(self) -> None:
        """Stop the server if nobody else uses it; a home that was removed meanwhile has none."""
        if self._user_pid != os.getpid() or not self._home.exists():
            return
        with self._guard, UsersLock(self._home / "run", "postgres").starting():
            if self._leave() and not self._kept():
                with suppress(DatabaseError):  # nobody is left to tell; the next command finds it running
                    postmaster.stop(cluster_folder(self._home).resolve())

    def _leave(self) -> bool:
        """Be no user any more; True when this was the last one. A forked child never was one."""
        if self._users is None or self._user_pid != os.getpid():
            return False
        self._user_pid = None
        atexit.unregister(self._at_exit)
        return self._users.leave()

    def _kept(self) -> bool:
        found = self._running()
        return found is not None and self._keep.exists() and self._keep.read_text() == found.identity
