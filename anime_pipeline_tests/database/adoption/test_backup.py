"""Defends that a backup is one moment, private, proved by a restore, and never used when it is damaged."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from anime_pipeline.database import server
from anime_pipeline.database.adoption import tools
from anime_pipeline.database.adoption.adopt import rehearse
from anime_pipeline.database.adoption.backup import back_up, restore_test
from anime_pipeline.database.adoption.errors import AdoptionError
from anime_pipeline.database.adoption.manifest import Backup, find_backup, list_backups, sha256_of
from anime_pipeline.database.adoption.rollback import rollback
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline_tests.database.adoption.conftest import Studio


@pytest.fixture
def major() -> str:
    """What a backup is doesn't hang on the version; going there and back is tested on each."""
    return "18"


@pytest.fixture
def backup(studio: Studio) -> Backup:
    """A backup that counts."""
    return back_up(studio.settings)


def partial_folders(studio: Studio) -> list[Path]:
    return list((studio.settings.home / "backups").glob(".partial*"))


def test_it_holds_what_it_says_for_its_owner_alone(studio: Studio, backup: Backup) -> None:
    files = {path.name for path in backup.folder.iterdir()}
    assert files == {"database.dump", "schema.sql", "tables.txt", "manifest.json"}
    assert {path.stat().st_mode & 0o777 for path in backup.folder.iterdir()} == {0o600}
    assert backup.folder.stat().st_mode & 0o777 == 0o700
    assert backup.folder.parent.stat().st_mode & 0o777 == 0o700
    held = json.loads((backup.folder / "manifest.json").read_text())
    assert held["files"]["database.dump"]["sha256"] == sha256_of(backup.dump)
    assert held["server_version"].startswith("18")
    assert held["tool_version"].startswith("18")
    assert backup.manifest.tables == studio.content()
    assert "CREATE TABLE public.characters" in (backup.folder / "schema.sql").read_text()
    assert (backup.folder / "tables.txt").read_text().count("\n") == 13
    assert [found.name for found in list_backups(studio.settings)] == [backup.name]
    assert not [name for name in studio.server.databases() if "scratch" in name]


def test_dump_and_counts_are_of_one_moment(studio: Studio) -> None:
    """Whatever is written once the snapshot is taken belongs to neither."""
    before = studio.content()

    def write(event: str) -> None:
        if event == "dumping":
            studio.execute(
                "INSERT INTO stories (story_id, title) VALUES ('late', 'Late')", "DELETE FROM face_embeddings"
            )

    assert back_up(studio.settings, on_event=write).manifest.tables == before
    assert studio.content() != before


def test_no_password_on_a_command_line(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[Any] = []
    popen = subprocess.Popen

    def record(command: Any, *arguments: Any, **options: Any) -> subprocess.Popen[Any]:
        commands.append(command)
        return popen(command, *arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", record)
    made = back_up(studio.settings)
    assert any("pg_dump" in str(command) for command in commands)
    assert str(studio.url.password) not in str(commands)
    assert all(str(studio.url.password).encode() not in path.read_bytes() for path in made.folder.iterdir())


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_corrupted_dump_is_never_used(studio: Studio, backup: Backup) -> None:
    flip_a_byte(backup.dump)
    before = studio.content()
    for use in (
        lambda: restore_test(studio.settings),
        lambda: rehearse(studio.settings, backup.name, {}),
        lambda: rollback(studio.settings, backup.name),
    ):
        with pytest.raises(AdoptionError, match=r"corrupted: database\.dump") as caught:
            use()
        assert "another backup" in (caught.value.remedy or "")
    assert studio.content() == before
    assert [name for name in studio.server.databases() if name.startswith(studio.database)] == [
        studio.database
    ]


def test_a_restore_that_differs_is_no_restore(studio: Studio, backup: Backup) -> None:
    """The files are as written, but the manifest says another content."""
    path = backup.folder / "manifest.json"
    held = json.loads(path.read_text())
    held["tables"]["public.stories"]["checksum"] = "0" * 32
    path.write_text(json.dumps(held))
    with pytest.raises(AdoptionError, match=r"public\.stories: the same number of rows"):
        restore_test(studio.settings)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_damaged_manifest_is_no_backup(studio: Studio, backup: Backup, content: str) -> None:
    (backup.folder / "manifest.json").write_text(content)
    assert list_backups(studio.settings) == []
    with pytest.raises(AdoptionError, match="manifest"):
        find_backup(studio.settings, backup.name)


@pytest.mark.parametrize("name", ["20200101T000000Z", "../home", "/etc", ".lock"])
def test_a_name_that_is_no_backup(studio: Studio, name: str) -> None:
    with pytest.raises(AdoptionError, match="no backup"):
        find_backup(studio.settings, name)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 64 KiB there."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(studio: Studio) -> None:
    """A real one: the file system has no room for the dump."""
    before = studio.content()
    with small_disk(studio.settings.home / "backups"):
        with pytest.raises(AdoptionError, match="No space left") as caught:
            back_up(studio.settings)
        assert partial_folders(studio) == []
        assert list_backups(studio.settings) == []
    assert "Free space" in (caught.value.remedy or "")
    assert studio.content() == before


def test_a_limit_on_files(studio: Studio) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(AdoptionError, match=r"limit on the size of files|File too large") as caught:
            back_up(studio.settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Free space" in (caught.value.remedy or "")
    assert partial_folders(studio) == []


def test_what_a_killed_backup_left_is_swept(studio: Studio) -> None:
    left = studio.settings.home / "backups" / ".partial-20200101T000000Z"
    left.mkdir(parents=True)
    studio.server.execute(f"CREATE DATABASE {studio.database}_scratch_0123abcd")
    back_up(studio.settings)
    assert not left.exists()
    assert f"{studio.database}_scratch_0123abcd" not in studio.server.databases()


def test_only_one_at_a_time(studio: Studio) -> None:
    def second(event: str) -> None:
        if event == "dumping":
            with pytest.raises(AdoptionError, match="at work"):
                back_up(studio.settings)

    back_up(studio.settings, on_event=second)


def test_without_the_right_to_create_databases_the_embedded_server_tests_it(studio: Studio) -> None:
    """A role that owns everything, but may not create databases: the trial runs elsewhere."""
    role = f"owner_of_{studio.database}"
    studio.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'secret'",
        f"ALTER DATABASE {studio.database} OWNER TO {role}",
        f"GRANT pg_read_all_data TO {role}",
    )
    settings = studio.as_role(role, "secret")
    embedded = settings.model_copy(update={"database_url": None})
    try:
        assert back_up(settings).manifest.tested_on == "the embedded server"
        with pytest.raises(AdoptionError, match="may not create and rename") as caught:
            rollback(settings, list_backups(settings)[0].name)
        assert "CREATEDB" in (caught.value.remedy or "")
    finally:
        server.stop_server(embedded)
        studio.execute(
            f"ALTER DATABASE {studio.database} OWNER TO anime", f"DROP OWNED BY {role}", f"DROP ROLE {role}"
        )


def test_tools_that_are_too_old_are_named(studio: Studio) -> None:
    with pytest.raises(AdoptionError, match="no pg_dump of version 99") as caught:
        tools.tools_for(99, studio.url)
    assert "postgresql-client-99" in (caught.value.remedy or "")


def test_a_wrong_password(studio: Studio) -> None:
    with pytest.raises(DatabaseError, match="password") as caught:
        back_up(studio.as_role("anime", "guess"))
    assert "password" in (caught.value.remedy or "")
    assert "guess" not in str(caught.value)
