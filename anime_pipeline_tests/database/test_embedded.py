"""Defends the embedded server: shared by the commands of a home, gone with the last, back after any kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from anime_pipeline.database import postmaster, server
from anime_pipeline.database.account import Account, account_of_cluster
from anime_pipeline.database.cluster import HOST, cluster_folder, log_file
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.session import engine_for, session_scope
from anime_pipeline.settings import Settings
from anime_pipeline_tests.conftest import folder_for_a_server
from anime_pipeline_tests.database.users import answer, user_of


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home whose cluster was made once; each test finds it stopped."""
    with folder_for_a_server() as folder:
        server.ensure_server(Settings(home=folder / "home"))
        yield folder / "home"


@pytest.fixture
def stopped(home: Path) -> Iterator[Settings]:
    settings = Settings(home=home)
    server.stop_server(settings)
    yield settings
    server.stop_server(settings)


def server_of(settings: Settings) -> postmaster.Postmaster | None:
    return postmaster.running(cluster_folder(settings.home).resolve())


def pid_of(settings: Settings) -> int:
    found = server_of(settings)
    assert found is not None
    return found.pid


def kill_server(settings: Settings) -> None:
    os.kill(pid_of(settings), signal.SIGKILL)
    while server_of(settings) is not None:
        pass  # the signal is on its way


def execute(settings: Settings, statement: str) -> object:
    with session_scope(settings) as session:
        result = session.execute(text(statement))
        return result.scalar() if result.returns_rows else None


def test_both_databases_answer_as_configured(stopped: Settings) -> None:
    server.ensure_server(stopped)
    assert execute(stopped, "SELECT current_setting('timezone')") == "UTC"
    assert execute(stopped, "SELECT current_setting('fsync')") == "on"
    assert (
        execute(stopped, "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'anime'")
        == "UTF8"
    )
    dagster = Settings(home=stopped.home, database_url=server.dagster_database_url(stopped))
    assert execute(dagster, "SELECT current_setting('synchronous_commit')") == "off"
    assert execute(stopped, "SELECT current_setting('synchronous_commit')") == "on"


def test_calling_again_keeps_the_server(stopped: Settings) -> None:
    server.ensure_server(stopped)
    first = pid_of(stopped)
    server.ensure_server(stopped)
    assert pid_of(stopped) == first


def test_the_secrets_are_the_owner_s_alone(stopped: Settings) -> None:
    cluster = cluster_folder(stopped.home).resolve()
    assert (cluster / "anime.json").stat().st_mode & 0o777 == 0o600
    assert cluster.stat().st_mode & 0o777 == 0o700


def test_a_wrong_password_is_refused(stopped: Settings) -> None:
    server.ensure_server(stopped)
    wrong = make_url(server.database_url(stopped)).set(password="guess")
    with pytest.raises(DatabaseError, match="password"):
        server.ensure_server(
            Settings(home=stopped.home, database_url=wrong.render_as_string(hide_password=False))
        )


def test_processes_of_a_new_home_share_one_server(embedded_settings: Settings) -> None:
    with ExitStack() as processes:
        users = [processes.enter_context(user_of(embedded_settings.home)) for _ in range(3)]
        answers = {answer(user) for user in users}
        assert answers == {str(pid_of(embedded_settings))}
    assert server_of(embedded_settings) is None, "the last one out stops it"


def test_a_killed_command_leaves_it_to_the_next(stopped: Settings) -> None:
    with user_of(stopped.home) as killed:
        pid = answer(killed)
        os.killpg(killed.pid, signal.SIGKILL)
    assert str(pid_of(stopped)) == pid
    with user_of(stopped.home) as following:
        assert answer(following) == pid
    assert server_of(stopped) is None


def test_kept_running_it_outlives_its_users(stopped: Settings) -> None:
    with user_of(stopped.home, keep=True) as keeper:
        pid = answer(keeper)
    with user_of(stopped.home) as following:
        assert answer(following) == pid
    assert str(pid_of(stopped)) == pid
    server.stop_server(stopped)
    assert server_of(stopped) is None
    with user_of(stopped.home) as later:
        assert answer(later) != pid
    assert server_of(stopped) is None, "keeping ends with the server that was kept"


def test_a_killed_server_comes_back_with_what_was_committed(stopped: Settings) -> None:
    server.ensure_server(stopped)
    execute(stopped, "CREATE TABLE IF NOT EXISTS kept (word TEXT)")
    execute(stopped, "INSERT INTO kept VALUES ('lantern')")
    kill_server(stopped)
    server.ensure_server(stopped)
    assert execute(stopped, "SELECT word FROM kept") == "lantern"


def test_a_killed_server_with_a_busy_worker_comes_back(stopped: Settings) -> None:
    """The worker outlives its server for a moment and still holds the shared memory."""
    server.ensure_server(stopped)
    with session_scope(stopped) as session:
        session.execute(text("SELECT 1"))
        kill_server(stopped)
        server.ensure_server(stopped)
        session.invalidate()
    assert execute(stopped, "SELECT 1") == 1


def test_a_server_that_stops_is_not_taken_for_one_that_answers(stopped: Settings) -> None:
    server.ensure_server(stopped)
    first = server_of(stopped)
    assert first is not None
    assert execute(stopped, "SELECT 1") == 1
    os.kill(first.pid, signal.SIGTERM)  # it waits for its clients: the pool holds one
    while (found := server_of(stopped)) is not None and found.ready:
        pass  # the signal is on its way
    engine_for(stopped).dispose()
    server.ensure_server(stopped)
    assert pid_of(stopped) != first.pid
    assert execute(stopped, "SELECT 1") == 1


def test_a_stale_pid_file_with_a_dead_number_is_no_hindrance(stopped: Settings) -> None:
    server.ensure_server(stopped)
    file = cluster_folder(stopped.home).resolve() / "postmaster.pid"
    lines = file.read_text().splitlines(keepends=True)
    server.stop_server(stopped)
    ended = subprocess.Popen(["true"])
    ended.wait()
    write_as_server(file, [f"{ended.pid}\n", *lines[1:]])
    server.ensure_server(stopped)
    assert execute(stopped, "SELECT 1") == 1


def test_a_stale_pid_file_with_somebody_s_number_is_no_hindrance(stopped: Settings) -> None:
    server.ensure_server(stopped)
    file = cluster_folder(stopped.home).resolve() / "postmaster.pid"
    lines = file.read_text().splitlines(keepends=True)
    server.stop_server(stopped)
    options = account_of_cluster(file.parent).command_options
    with subprocess.Popen(["cat"], cwd="/", stdin=subprocess.PIPE, **options) as somebody:
        write_as_server(file, [f"{somebody.pid}\n", *lines[1:]])
        server.ensure_server(stopped)
        assert execute(stopped, "SELECT 1") == 1
        assert somebody.poll() is None
        server.stop_server(stopped)


def write_as_server(file: Path, lines: list[str]) -> None:
    account: Account = account_of_cluster(file.parent)
    file.write_text("".join(lines))
    file.chmod(0o600)
    if account.uid is not None:
        os.chown(file, account.uid, -1)


def test_a_port_that_somebody_took_is_left_to_them(stopped: Settings) -> None:
    taken = make_url(server.database_url(stopped)).port
    assert taken is not None
    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind((HOST, taken))
        somebody.listen()
        server.ensure_server(stopped)
        assert make_url(server.database_url(stopped)).port != taken
        assert execute(stopped, "SELECT 1") == 1


def test_a_first_start_that_was_killed_begins_anew(embedded_settings: Settings) -> None:
    postgres_folder = embedded_settings.home / "postgres"
    with user_of(embedded_settings.home) as killed:
        while not list(postgres_folder.glob("new-*/cluster/PG_VERSION")):
            assert killed.poll() is None
        os.killpg(killed.pid, signal.SIGKILL)
    assert not cluster_folder(embedded_settings.home).exists()
    server.ensure_server(embedded_settings)
    assert execute(embedded_settings, "SELECT 1") == 1


def test_a_cluster_that_cannot_start_says_why_and_where(embedded_settings: Settings) -> None:
    server.ensure_server(embedded_settings)
    server.stop_server(embedded_settings)
    (cluster_folder(embedded_settings.home).resolve() / "global" / "pg_control").unlink()
    with pytest.raises(DatabaseError, match="pg_control") as caught:
        server.ensure_server(embedded_settings)
    assert str(log_file(embedded_settings.home)) in str(caught.value)


def test_before_the_first_start_there_is_no_url(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="never started"):
        server.database_url(Settings(home=tmp_path / "home"))


def test_a_removed_home_leaves_no_complaint_at_exit(embedded_settings: Settings) -> None:
    with user_of(embedded_settings.home) as process:
        pid = int(answer(process))
        moved = embedded_settings.home.with_name("moved")
        embedded_settings.home.rename(moved)
    os.kill(pid, signal.SIGINT)
    assert process.returncode == 0
