"""Defends that the server runs for root and for ordinary users, and that no folder's mode is ever changed."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from anime_pipeline.database import installation, postmaster, server
from anime_pipeline.database.account import Account, account_for_new_cluster, account_of_cluster
from anime_pipeline.database.cluster import cluster_folder
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.installation import Installation, installation_for
from anime_pipeline.settings import Settings
from anime_pipeline_tests.conftest import folder_for_a_server
from anime_pipeline_tests.database.users import answer, user_of

NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another account")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with folder_for_a_server() as folder:
        yield folder


@pytest.fixture
def closed_folder(open_folder: Path) -> Path:
    """A folder that only its owner may enter, like most home folders."""
    folder = open_folder / "closed"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def elsewhere(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the machine's shared folder."""
    folder = open_folder / "lib"
    monkeypatch.setattr(installation, "SHARED_ROOT", folder)
    return folder


def modes(folder: Path) -> dict[Path, tuple[int, int]]:
    """Mode and owner of ``folder`` and everything above it."""
    return {path: (path.stat().st_mode, path.stat().st_uid) for path in (folder, *folder.parents)}


def test_a_home_keeps_the_modes_of_everything_above(open_folder: Path) -> None:
    before = modes(open_folder)
    settings = Settings(home=open_folder / "home")
    server.ensure_server(settings)
    server.stop_server(settings)
    assert modes(open_folder) == before
    assert not cluster_folder(settings.home).is_symlink()


@as_root
def test_root_lends_nobody_the_cluster_and_nothing_else(open_folder: Path) -> None:
    settings = Settings(home=open_folder / "home")
    server.ensure_server(settings)
    cluster = cluster_folder(settings.home)
    assert cluster.stat().st_uid == NOBODY.pw_uid
    assert {path.stat().st_uid for path in (settings.home, cluster.parent, settings.home / "run")} == {0}
    with user_of(settings.home, uid=NOBODY.pw_uid) as user:
        assert answer(user).startswith("error: The database can't be used")
    server.stop_server(settings)


@as_root
def test_in_a_closed_folder_the_cluster_lies_elsewhere(closed_folder: Path, elsewhere: Path) -> None:
    """And a home that was removed and made anew never finds its old database."""
    before = modes(closed_folder)
    settings = Settings(home=closed_folder / "home")
    places = set()
    for _ in range(2):
        server.ensure_server(settings)
        server.stop_server(settings)
        assert cluster_folder(settings.home).is_symlink()
        place = cluster_folder(settings.home).resolve().parent
        assert place.parent == elsewhere
        assert place.stat().st_mode & 0o777 == 0o700
        places.add(place)
        shutil.rmtree(settings.home)
    assert len(places) == 2
    assert modes(closed_folder) == before


@as_root
def test_programs_in_a_closed_folder_are_copied_within_reach(
    closed_folder: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone with its virtual environment in root's own home."""
    package = installation_for(Account()).bin.parents[1]
    moved = closed_folder / package.name
    moved.mkdir()
    for tree in (package / "pginstall18", package.with_name(f"{package.name}.libs")):
        place = moved / tree.name if tree.parent == package else closed_folder / tree.name
        shutil.copytree(tree, place, symlinks=True)
    monkeypatch.setattr(installation, "_package_folder", lambda: moved)
    before = modes(closed_folder)
    nobody = Account(NOBODY.pw_uid, NOBODY.pw_gid)

    copied = installation_for(nobody)

    assert elsewhere in copied.bin.parents
    assert all(nobody.can_run(copied.program(name)) for name in ("initdb", "postgres", "pg_dump"))
    assert installation_for(nobody) == copied, "one copy serves all"
    assert installation_for(Account()) == Installation("18", moved / "pginstall18" / "bin")
    assert modes(closed_folder) == before


@as_root
def test_an_ordinary_user_keeps_everything_in_a_closed_home(open_folder: Path, elsewhere: Path) -> None:
    """And root, coming later, runs the server as that user."""
    own = open_folder / "own"
    own.mkdir(mode=0o700)
    os.chown(own, NOBODY.pw_uid, NOBODY.pw_gid)
    with user_of(own, uid=NOBODY.pw_uid) as user:
        assert answer(user).isdigit()
        assert {path.stat().st_uid for path in own.rglob("*")} == {NOBODY.pw_uid}
    assert postmaster.running(cluster_folder(own)) is None
    assert account_for_new_cluster(own).uid == NOBODY.pw_uid

    server.ensure_server(Settings(home=own))
    server.stop_server(Settings(home=own))
    assert account_of_cluster(cluster_folder(own)).uid == NOBODY.pw_uid
    assert not cluster_folder(own).is_symlink()
    assert own.stat().st_mode & 0o777 == 0o700
    assert not elsewhere.exists()


@as_root
def test_no_place_within_reach_says_what_to_do(
    closed_folder: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = open_folder / "file"
    blocked.touch()
    monkeypatch.setattr(installation, "SHARED_ROOT", blocked / "lib")
    with pytest.raises(DatabaseError, match="can't enter the home") as caught:
        server.ensure_server(Settings(home=closed_folder / "home"))
    assert "ANIME_HOME" in (caught.value.remedy or "")
