"""Defends the way to a server of the user's own: URL forms, clear errors, and Dagster's storage on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from anime_pipeline.database import server
from anime_pipeline.database.cluster import free_port
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.external import connect, parse_url, render
from anime_pipeline.database.session import session_scope
from anime_pipeline.settings import Settings

AWKWARD = "p@ss/w:rd %+ü?#&="


@pytest.fixture
def member(settings: Settings) -> Iterator[Settings]:
    """Settings of an ordinary role with an awkward password, which may not create databases."""
    name = f"member_{os.getpid()}"
    url = make_url(server.database_url(settings))
    statements = [f"CREATE ROLE {name} LOGIN PASSWORD '{AWKWARD}'", f"GRANT ALL ON SCHEMA public TO {name}"]
    run(settings, *statements)
    yield Settings(home=settings.home, database_url=render(url.set(username=name, password=AWKWARD)))
    run(settings, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def run(settings: Settings, *statements: str) -> None:
    connection = connect(make_url(server.database_url(settings)))
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_the_driver_is_written_out(scheme: str) -> None:
    url = parse_url(f"{scheme}://user:p%40ss@host:5433/anime?sslmode=require", "ANIME_DATABASE_URL")
    assert render(url) == "postgresql+psycopg2://user:p%40ss@host:5433/anime?sslmode=require"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not a url", "not a database URL"),
        ("postgresql://host:port/anime", "not a database URL"),
        ("mysql://host/anime", "needs PostgreSQL"),
        ("postgresql+asyncpg://host/anime", "asyncpg"),
        ("postgresql://host", "names no database"),
    ],
)
def test_a_url_that_cannot_be_is_explained(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=said) as caught:
        server.ensure_server(Settings(home=tmp_path, database_url=text))
    assert caught.value.remedy


def test_nobody_listening_is_said_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://anime:secret@127.0.0.1:{free_port()}/anime"
    with pytest.raises(DatabaseError, match="refused") as caught:
        server.ensure_server(Settings(home=tmp_path, database_url=url))
    assert "secret" not in str(caught.value)


def test_a_missing_domain_database_is_not_made(settings: Settings) -> None:
    """A slip in its name must not give an empty studio."""
    url = make_url(server.database_url(settings)).set(database="lanterns")
    with pytest.raises(DatabaseError, match="lanterns"):
        server.ensure_server(Settings(home=settings.home, database_url=render(url)))


def test_the_dagster_database_is_made_beside_it(settings: Settings) -> None:
    domain = make_url(server.database_url(settings)).database
    server.ensure_server(settings)
    server.ensure_server(settings)
    assert make_url(server.dagster_database_url(settings)).database == f"{domain}_dagster"
    connect(make_url(server.dagster_database_url(settings))).close()


def test_a_role_that_may_not_create_it_is_told_the_statement(member: Settings) -> None:
    with pytest.raises(DatabaseError, match="may not create it") as caught:
        server.ensure_server(member)
    assert "CREATE DATABASE" in (caught.value.remedy or "")


def test_an_awkward_password_works_everywhere(member: Settings, settings: Settings) -> None:
    server.ensure_server(settings)
    dagster = server.dagster_database_url(settings)
    shared = Settings(home=member.home, database_url=member.database_url, dagster_database_url=dagster)
    server.ensure_server(shared)
    with session_scope(shared) as session:
        assert session.scalar(text("SELECT current_user")) == make_url(member.database_url or "").username


def test_an_external_server_is_never_stopped(settings: Settings) -> None:
    server.ensure_server(settings)
    server.keep_running(settings)
    server.stop_server(settings)
    connect(make_url(server.database_url(settings))).close()


def test_connections_keep_utc_whatever_the_database_says(settings: Settings) -> None:
    name = make_url(server.database_url(settings)).database
    run(settings, f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    with session_scope(settings) as session:
        assert session.scalar(text("SHOW timezone")) == "UTC"


def test_dagster_s_database_is_another_one(settings: Settings) -> None:
    same = Settings(
        home=settings.home,
        database_url=settings.database_url,
        dagster_database_url=settings.database_url,
    )
    with pytest.raises(DatabaseError, match="same database"):
        server.ensure_server(same)


def test_dagster_stores_runs_events_and_ticks_there(
    member: Settings, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dagster-postgres takes the very URL, special characters of the password included."""
    import dagster as dg

    server.ensure_server(settings)
    dagster = Settings(home=settings.home, database_url=server.dagster_database_url(settings))
    run(dagster, f"GRANT ALL ON SCHEMA public TO {make_url(member.database_url or '').username}")
    monkeypatch.setenv("ANIME_DAGSTER_DATABASE_URL", server.dagster_database_url(member))
    (tmp_path / "dagster.yaml").write_text(
        "storage:\n  postgres:\n    postgres_url:\n      env: ANIME_DAGSTER_DATABASE_URL\n"
        "telemetry:\n  enabled: false\n"
    )

    @dg.asset
    def lantern() -> int:
        return 1

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        result = dg.materialize([lantern], instance=instance)
        assert result.success
        assert instance.get_latest_materialization_event(lantern.key) is not None
        assert [record.run_id for record in instance.get_runs()] == [result.run_id]
        assert list(instance.all_instigator_state()) == []
    run(dagster, f"DROP OWNED BY {make_url(member.database_url or '').username}")
