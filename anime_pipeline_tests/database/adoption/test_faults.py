"""Defends that whatever breaks, the database is as before or as after, and the words say what to do."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.database import cluster, migrations, postmaster, server
from anime_pipeline.database.adoption import migrating
from anime_pipeline.database.adoption.adopt import adopt, migrate, rehearse, verify
from anime_pipeline.database.adoption.backup import back_up
from anime_pipeline.database.adoption.environment import verify_environment
from anime_pipeline.database.adoption.errors import AdoptionError
from anime_pipeline.database.adoption.manifest import list_backups
from anime_pipeline.database.adoption.rollback import losses, rollback
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.settings import Settings
from anime_pipeline_tests.database.adoption.conftest import Server, Studio, open_connection

pytestmark = pytest.mark.slow


@pytest.fixture
def major() -> str:
    """Faults are told apart by our own code; both versions come over in the other tests."""
    return "18"


def kill(on: Server) -> None:
    """SIGKILL the server with all its workers, and wait until they are gone.

    A worker alone would still finish what it is at, even a COMMIT.
    """
    pid = on.pid()
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for number in (pid, *map(int, workers)):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    while postmaster.running(cluster.cluster_folder(on.settings.home).resolve()) is not None:
        pass


def killing(studio: Studio, at: str) -> Callable[[str], None]:
    """A listener that kills the server when it hears of ``at``."""

    def listen(event: str) -> None:
        if event.startswith(at):
            kill(studio.server)

    return listen


def restart(studio: Studio) -> None:
    server.ensure_server(studio.server.settings)


def back_up_only(studio: Studio, listen: Callable[[str], None]) -> None:
    back_up(studio.settings, on_event=listen)


def rehearse_only(studio: Studio, listen: Callable[[str], None]) -> None:
    rehearse(studio.settings, back_up(studio.settings).name, {}, listen)


def migrate_only(studio: Studio, listen: Callable[[str], None]) -> None:
    migrating.migrate_database(studio.url, {}, listen)


@pytest.mark.parametrize(
    ("step", "phase"),
    [
        (back_up_only, "dumping"),
        (back_up_only, "restoring"),
        (back_up_only, "comparing"),
        (rehearse_only, "restoring"),
        (rehearse_only, "upgrading"),
        (migrate_only, "locking"),
        (migrate_only, "upgrading"),
        (migrate_only, "verifying"),
        (migrate_only, "committing"),
    ],
)
def test_the_server_is_killed(
    studio: Studio, step: Callable[[Studio, Callable[[str], None]], None], phase: str
) -> None:
    before = studio.content()
    with pytest.raises(DatabaseError) as caught:
        step(studio, killing(studio, phase))
    assert "server" in f"{caught.value} {caught.value.remedy}"
    assert caught.value.remedy
    restart(studio)
    assert studio.content() == before
    assert studio.scalar("SELECT to_regnamespace('studio') IS NULL") is True
    migrate_only(studio, lambda _: None)


def test_the_server_is_killed_once_it_has_committed(studio: Studio) -> None:
    """What was reported as committed is there, and the next try finds nothing to do."""
    with pytest.raises(DatabaseError):
        adopt(studio.settings, {}, killing(studio, "verifying what was committed"))
    restart(studio)
    verify(studio.settings, {}, list_backups(studio.settings)[0].name)
    assert adopt(studio.settings, {}).migration is None


@pytest.mark.parametrize("phase", ["restoring", "comparing", "swapping"])
def test_the_server_is_killed_in_a_rollback(studio: Studio, phase: str) -> None:
    v1 = studio.content()
    name = back_up(studio.settings).name
    migrating.migrate_database(studio.url, {}, lambda _: None)
    v2 = studio.content()
    with pytest.raises(DatabaseError) as caught:
        rollback(studio.settings, name, killing(studio, phase))
    assert caught.value.remedy
    restart(studio)
    assert studio.content() == v2
    rollback(studio.settings, name)
    assert studio.content() == v1
    assert not [left for left in studio.server.databases() if "_restored_" in left]


def test_the_connection_is_cut_in_the_transaction(studio: Studio) -> None:
    before = studio.content()

    def cut(event: str) -> None:
        if event == "migration: verifying":
            studio.server.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{studio.database}'"
            )

    with pytest.raises(AdoptionError, match="as it was before") as caught:
        adopt(studio.settings, {}, cut)
    assert "run the command again" in (caught.value.remedy or "").lower()
    assert studio.content() == before


def test_a_second_migrator(studio: Studio) -> None:
    refused: list[str] = []

    def second(event: str) -> None:
        if event == "migration: upgrading":
            with pytest.raises(AdoptionError, match="Another migration") as caught:
                migrate(studio.settings, list_backups(studio.settings)[0].name, {})
            refused.append(caught.value.remedy or "")

    assert adopt(studio.settings, {}, second).migration is not None
    assert len(refused) == 1
    assert "Wait" in refused[0]


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("SELECT * FROM characters", "characters"),
        ("UPDATE stories SET title = title", "stories"),
        ("LOCK TABLE face_embeddings IN ACCESS EXCLUSIVE MODE", "face_embeddings"),
    ],
)
def test_a_client_holds_a_lock(
    studio: Studio, statement: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "TABLE_LOCK_TIMEOUT", "100ms")
    before = studio.content()
    client = open_connection(studio)
    client.execute(text(statement))
    pid = client.scalar(text("SELECT pg_backend_pid()"))
    with pytest.raises(AdoptionError, match=f"session {pid} of anime .* holds .*{table}") as caught:
        migrating.migrate_database(studio.url, {}, lambda _: None)
    assert "as it was before" in str(caught.value)
    assert "lock" in (caught.value.remedy or "")
    found = verify_environment(studio.settings).findings
    assert any(f.subject in ("locks", "server") and table in f.message for f in found) or "face" in table
    client.close()
    assert studio.content() == before


def test_a_wrong_password(studio: Studio) -> None:
    wrong = studio.as_role("anime", "guess")
    for step in (lambda: adopt(wrong, {}), lambda: losses(wrong, back_up(studio.settings).name)):
        with pytest.raises(DatabaseError, match="password authentication failed") as caught:
            step()
        assert "guess" not in f"{caught.value} {caught.value.remedy}"
    (finding,) = verify_environment(wrong).findings
    assert finding.level == "blocks"
    assert "password" in (finding.remedy or "")


@pytest.fixture
def reader(studio: Studio) -> Iterator[Settings]:
    """A role that may read everything and write nothing."""
    role = f"reader_of_{studio.database}"
    studio.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'secret'",
        f"GRANT pg_read_all_data TO {role}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    )
    yield studio.as_role(role, "secret")
    studio.execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_read_only_user(studio: Studio, reader: Settings) -> None:
    before = studio.content()
    with pytest.raises(AdoptionError, match="may not create in schema public") as caught:
        adopt(reader, {})
    assert "doesn't own character_anchors" in str(caught.value)
    assert "GRANT CREATE ON SCHEMA public" in str(caught.value)
    with pytest.raises(AdoptionError, match=r"permission denied|must be owner") as caught:
        migrating.migrate_database(studio.url.set(username=reader_name(reader), password="secret"), {}, print)
    assert "owner" in (caught.value.remedy or "")
    assert studio.content() == before


def reader_name(settings: Settings) -> str:
    from sqlalchemy import make_url

    return make_url(settings.database_url or "").username or ""


def test_a_read_only_database(studio: Studio) -> None:
    studio.execute(f"ALTER DATABASE {studio.database} SET default_transaction_read_only = on")
    with pytest.raises(AdoptionError, match="read-only") as caught:
        adopt(studio.settings, {})
    assert "read_only = off" in str(caught.value)


def test_a_migration_that_loses_a_row_is_rolled_back(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a future SQL file does wrong, it isn't committed."""
    before = studio.content()
    upgrade = migrations.upgrade_within

    def careless(connection: object) -> list[str]:
        connection.execute(text("DELETE FROM face_embeddings WHERE id = 1"))  # type: ignore[attr-defined]
        connection.execute(text("UPDATE stories SET author = 'x'"))  # type: ignore[attr-defined]
        return upgrade(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(migrations, "upgrade_within", careless)
    with pytest.raises(AdoptionError, match="face_embeddings: 30 rows before, 29 after") as caught:
        adopt(studio.settings, {})
    assert "stories: the same number of rows" in str(caught.value)
    assert "rolled back" in str(caught.value)
    assert studio.content() == before


def _broken(session: Session) -> object:
    return session.execute(text("SELECT lens FROM cuts"))


def _stumbling(_: Session) -> object:
    raise ValueError("no such angle")


@pytest.mark.parametrize(("query", "said"), [(_broken, "lens"), (_stumbling, "no such angle")])
def test_a_query_of_the_product_that_fails_rolls_it_back(
    studio: Studio, query: Callable[[Session], object], said: str
) -> None:
    before = studio.content()
    with pytest.raises(AdoptionError, match=f"looking at cuts: .*{said}"):
        migrating.migrate_database(studio.url, {"looking at cuts": query}, lambda _: None)
    assert studio.content() == before


def test_clients_that_keep_coming_back_are_outlasted(studio: Studio) -> None:
    """Sessions of others are ended for the swap."""
    name = back_up(studio.settings).name
    client = open_connection(studio)
    client.execute(text("SELECT 1"))
    assert any("session" in line for line in losses(studio.settings, name).sessions)
    rollback(studio.settings, name)
    client.invalidate()
    client.close()
