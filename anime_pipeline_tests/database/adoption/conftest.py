"""One server of each major version that the wheel ships, and databases of the first system on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, make_url, text

from anime_pipeline.database import cluster, postmaster, server
from anime_pipeline.database.account import Account
from anime_pipeline.database.adoption.connections import autocommit, transaction
from anime_pipeline.database.adoption.fingerprints import Fingerprint, all_fingerprints
from anime_pipeline.database.external import render
from anime_pipeline.database.installation import Installation, installation_for
from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings
from anime_pipeline_tests.conftest import folder_for_a_server
from anime_pipeline_tests.database.adoption.rows import create_v1

MAJORS = ("16", "18")
TEMPLATE = "v1_template"
_numbers = count(1)


@dataclass(frozen=True)
class Server:
    """A running server of one major version."""

    major: str
    settings: Settings

    def url(self, database: str) -> URL:
        """The URL of one of its databases, as its superuser."""
        return make_url(server.database_url(self.settings)).set(database=database)

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements one by one, each in its own transaction."""
        with autocommit(self.url(database)) as connection:
            for statement in statements:
                connection.execute(text(statement))

    def databases(self) -> set[str]:
        """The names of its databases."""
        with autocommit(self.url("postgres")) as connection:
            return set(connection.scalars(text("SELECT datname FROM pg_database")))

    def pid(self) -> int:
        """The number of its process."""
        found = postmaster.running(cluster.cluster_folder(self.settings.home).resolve())
        assert found is not None
        return found.pid


@dataclass(frozen=True)
class Studio:
    """An installation of the first system: a home and its database on a server."""

    server: Server
    settings: Settings
    database: str

    @property
    def url(self) -> URL:
        """The database's URL."""
        return make_url(self.settings.database_url or "")

    def execute(self, *statements: str) -> None:
        """Run statements one by one in the database, as superuser."""
        self.server.execute(*statements, database=self.database)

    def scalar(self, query: str) -> object:
        """The single value of a query."""
        with transaction(self.server.url(self.database)) as connection:
            return connection.scalar(text(query))

    def content(self) -> dict[str, Fingerprint]:
        """What every table holds."""
        with transaction(self.server.url(self.database), read_only=True) as connection:
            return all_fingerprints(connection)

    def as_role(self, name: str, password: str) -> Settings:
        """Settings that reach the database as another role."""
        return self.settings.model_copy(
            update={"database_url": render(self.url.set(username=name, password=password))}
        )


def _start(major: str) -> Iterator[Server]:
    def of_major(account: Account, asked: str | None = None) -> Installation:
        return installation_for(account, asked or major)

    with folder_for_a_server() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "installation_for", of_major)
        settings = Settings(home=folder / "home")
        server.ensure_server(settings)
        started = Server(major, settings)
        started.execute(
            "ALTER SYSTEM SET fsync = off",
            "ALTER SYSTEM SET full_page_writes = off",
            "ALTER SYSTEM SET synchronous_commit = off",
            "SELECT pg_reload_conf()",
            f"CREATE DATABASE {TEMPLATE} TEMPLATE template0",
        )
        with transaction(started.url(TEMPLATE)) as connection:
            create_v1(connection)
        yield started
        server.stop_server(settings)


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    """Major version → server."""
    with ExitStack() as stack:
        from contextlib import contextmanager

        yield {major: stack.enter_context(contextmanager(_start)(major)) for major in MAJORS}


@pytest.fixture(params=MAJORS)
def major(request: pytest.FixtureRequest) -> str:
    """Each major version in turn; override with one where the version can't matter."""
    return str(request.param)


@pytest.fixture
def studio(servers: dict[str, Server], major: str, tmp_path: Path) -> Iterator[Studio]:
    """A v1 installation with generated rows, in a database of its own."""
    yield from _studio(servers[major], tmp_path / "home", TEMPLATE)


@pytest.fixture
def empty_studio(servers: dict[str, Server], major: str, tmp_path: Path) -> Iterator[Studio]:
    """A database without tables."""
    yield from _studio(servers[major], tmp_path / "home", "template0")


def _studio(on: Server, home: Path, template: str) -> Iterator[Studio]:
    name = f"tower_{next(_numbers)}"
    server.ensure_server(on.settings)  # a test before may have killed it
    on.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    home.mkdir()
    home.chmod(0o755)
    settings = Settings(home=home, database_url=render(on.url(name)))
    yield Studio(on, settings, name)
    engine_for(settings).dispose()
    server.ensure_server(on.settings)
    for left in sorted(on.databases()):
        if left.startswith(name):
            on.execute(f"DROP DATABASE {left} WITH (FORCE)")


def open_connection(studio: Studio) -> Connection:
    """A client of the studio's database, with a transaction of its own; close it."""
    from sqlalchemy import create_engine

    return create_engine(studio.server.url(studio.database)).connect()
