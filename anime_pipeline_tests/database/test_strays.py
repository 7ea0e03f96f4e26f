"""Defends that a database outside its home is removed only where nothing speaks for its being needed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from anime_pipeline.cli import app
from anime_pipeline.database import installation, mounts, server, strays
from anime_pipeline.database.cluster import cluster_folder
from anime_pipeline.database.cluster_home import note_home, noted_home
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.strays import (
    IDLE_SECONDS,
    OutsideCluster,
    find_stray,
    outside_clusters,
    remove_stray,
)
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings

NAME = "0123456789ab-01234567"


class Machine:
    """A shared folder with one cluster in it, of a home that was removed."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home = folder / "lib", folder / "homes" / "gone"
        self.cluster = self.root / NAME / "cluster"
        (self.cluster / "global").mkdir(parents=True)
        (self.home.parent / "other").mkdir(parents=True)
        for name in ("anime.json", "postmaster.opts", "global/pg_control"):
            (self.cluster / name).write_bytes(b"x" * 5000)
        self.home.mkdir()
        note_home(self.root / NAME, self.home)
        self.home.rmdir()
        self.age(IDLE_SECONDS + 1)

    def age(self, seconds: float) -> None:
        then = time.time() - seconds
        os.utime(self.cluster / "global" / "pg_control", (then, then))

    def link(self, home: Path) -> None:
        """Have a home lead to the cluster."""
        cluster_folder(home).parent.mkdir(parents=True)
        cluster_folder(home).symlink_to(self.cluster)

    def found(self) -> OutsideCluster:
        (found,) = outside_clusters()
        return found


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(installation, "SHARED_ROOT", made.root)
    monkeypatch.setattr(mounts, "_SET_UP", tmp_path / "fstab")
    monkeypatch.setattr(strays, "_EVERYWHERE", tmp_path)
    return made


def test_a_cluster_whose_home_is_gone_is_a_stray(machine: Machine) -> None:
    found = machine.found()
    assert (found.name, found.home, found.kept) == (NAME, machine.home, None)
    assert found.bytes > 15_000
    (machine.root / "programs-18-0123456789ab").mkdir()
    (machine.root / "removing-0123456789ab-89abcdef").mkdir()
    assert remove_stray(NAME) == found
    assert [path.name for path in machine.root.iterdir()] == ["programs-18-0123456789ab"]
    with pytest.raises(DatabaseError, match="no cluster"):
        find_stray(NAME)


def home_is_there(machine: Machine) -> None:
    machine.home.mkdir()


def home_uses_it(machine: Machine) -> None:
    machine.link(machine.home)


def home_was_moved(machine: Machine) -> None:
    machine.link(machine.root.parent / "far" / "away" / "moved")


def home_is_a_link_to_a_volume(machine: Machine) -> None:
    machine.home.symlink_to("/nowhere/volume/gone")


def a_folder_above_is_a_link_to_a_volume(machine: Machine) -> None:
    shutil.rmtree(machine.home.parent)
    machine.home.parent.symlink_to("/nowhere/volume")


def volume_is_set_up_and_not_mounted(machine: Machine) -> None:
    mounts._SET_UP.write_text(f"# disks\nUUID=1 {machine.home.parent} ext4 noauto 0 2\n")


def volume_was_mounted_when_it_was_started(machine: Machine) -> None:
    (machine.root / NAME / "home").write_text(
        json.dumps({"home": str(machine.home), "mount_point": str(machine.home.parent)})
    )


def only_an_empty_folder_is_left_of_the_way(machine: Machine) -> None:
    (machine.root / NAME / "home").write_text(f"{machine.home}\n")  # as earlier versions noted it
    (machine.home.parent / "other").rmdir()


def home_is_not_noted(machine: Machine) -> None:
    (machine.root / NAME / "home").unlink()


def home_is_noted_badly(machine: Machine) -> None:
    (machine.root / NAME / "home").write_text('{"home": ')


def note_has_two_lines(machine: Machine) -> None:
    (machine.root / NAME / "home").write_text("/nowhere\n/else\n")


def server_was_killed(machine: Machine) -> None:
    (machine.cluster / "postmaster.pid").write_text("1\n/data\n0\n5432\n")


def it_was_written_today(machine: Machine) -> None:
    machine.age(60)


@pytest.mark.parametrize(
    ("happen", "why"),
    [
        (home_is_there, "is there, though it doesn't lead here"),
        (home_uses_it, "gone uses it"),
        (home_was_moved, "away/moved uses it"),
        (home_is_a_link_to_a_volume, "is there"),
        (a_folder_above_is_a_link_to_a_volume, "is there"),
        (volume_is_set_up_and_not_mounted, "homes, which is not mounted"),
        (volume_was_mounted_when_it_was_started, "homes, which is not mounted"),
        (only_an_empty_folder_is_left_of_the_way, "may lie on a volume"),
        (home_is_not_noted, "not known"),
        (home_is_noted_badly, "not known"),
        (note_has_two_lines, "not known"),
        (server_was_killed, "not shut down"),
        (it_was_written_today, "within a day"),
    ],
)
def test_whatever_speaks_for_it_keeps_it(
    machine: Machine, happen: Callable[[Machine], None], why: str
) -> None:
    assert machine.found().kept is None
    happen(machine)
    assert why in (machine.found().kept or "")
    for refuse in (find_stray, remove_stray):
        with pytest.raises(DatabaseError, match="stays") as caught:
            refuse(NAME)
    by_hand = str(machine.root / NAME) in (caught.value.remedy or "")
    assert by_hand != machine.found().in_use, "what is used is nobody's to remove"
    assert (machine.cluster / "anime.json").exists()


def test_a_home_that_cannot_be_looked_at_keeps_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a network's disk that is away."""

    def stale(path: Path) -> bool:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("anime_pipeline.database.strays._is_there", stale)
    assert "can't be looked at (Stale file handle)" in (machine.found().kept or "")


def test_a_disk_that_cannot_be_searched_keeps_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = os.walk

    def away(top: Path, onerror: Callable[[OSError], None]) -> Iterator[tuple[str, list[str], list[str]]]:
        onerror(PermissionError(errno.EACCES, "Permission denied", "/run/user/1000/gvfs"))
        if disk_is_away:
            onerror(OSError(errno.EIO, "Input/output error", "/mnt/disk"))
        return walk(top)

    monkeypatch.setattr(os, "walk", away)
    disk_is_away = False
    assert machine.found().kept is None
    disk_is_away = True
    assert "may lie in /mnt/disk (Input/output error)" in (machine.found().kept or "")


def test_a_server_that_runs_keeps_it(machine: Machine) -> None:
    command = ["sh", "-c", "echo; read line", "sh", str(machine.cluster)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (machine.cluster / "postmaster.pid").write_text(f"{process.pid}\n/data\n0\n5432\n")
        assert f"its server runs (process {process.pid})" in (machine.found().kept or "")


def test_a_first_start_that_was_killed_leaves_a_stray(machine: Machine) -> None:
    """No server ever ran there, so no home is noted and nobody has a database in it."""
    shutil.rmtree(machine.cluster)
    machine.cluster.mkdir()
    (machine.root / NAME / "home").unlink()
    assert "within a day" in (machine.found().kept or ""), "it may be at its start"
    then = time.time() - IDLE_SECONDS - 1
    os.utime(machine.root / NAME, (then, then))
    assert (machine.found().home, machine.found().kept) == (None, None)


def test_a_volume_that_is_unmounted_and_mounted_again(machine: Machine) -> None:
    """A real one, and the database of its home is kept while it is away."""
    volume = machine.home.parent
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(volume)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        machine.link(machine.home)
        note_home(machine.root / NAME, machine.home)
        assert "uses it" in (machine.found().kept or "")
    finally:
        subprocess.run(["umount", str(volume)], check=True)
    noted = noted_home(machine.root / NAME)
    assert noted is not None
    assert noted.mount_point == volume
    assert f"on the volume of {volume}, which is not mounted" in (machine.found().kept or "")


def test_a_start_notes_the_home_that_it_was_moved_to(
    machine: Machine, embedded_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home was copied or renamed, and its database is that of the one that uses it."""
    server.ensure_server(embedded_settings)
    server.stop_server(embedded_settings)
    inside = cluster_folder(embedded_settings.home)
    shutil.rmtree(machine.cluster)
    shutil.move(inside, machine.cluster)
    inside.symlink_to(machine.cluster)
    for folder in (machine.root.parent, machine.root, machine.root / NAME):
        folder.chmod(0o755)
    server.ensure_server(embedded_settings)
    server.stop_server(embedded_settings)
    monkeypatch.setattr(strays, "_EVERYWHERE", embedded_settings.home.parent)
    assert machine.found().home == embedded_settings.home
    assert "uses it" in (machine.found().kept or "")


def test_the_commands_ask_for_the_name_and_a_yes(machine: Machine) -> None:
    (listed,) = json.loads(CliRunner().invoke(app, ["db", "strays", "--json"]).stdout)
    assert (listed["name"], listed["home"], listed["stray"]) == (NAME, str(machine.home), True)
    assert "stray" in CliRunner().invoke(app, ["db", "strays"]).stdout
    asked = CliRunner().invoke(app, ["db", "remove-stray", NAME]).exception
    assert isinstance(asked, UserError)
    assert "--yes" in (asked.remedy or "")
    assert machine.cluster.exists()
    assert "removed" in CliRunner().invoke(app, ["db", "remove-stray", NAME, "--yes"]).stdout
    assert not machine.cluster.exists()
