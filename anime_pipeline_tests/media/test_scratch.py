"""Defends that folders of work in progress go with their process, and never while it works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from anime_pipeline.media.scratch import YOUNG_SECONDS, dead_folders, remove_dead_folders, scratch_folder

_BUILDER = """
import sys
from pathlib import Path
from anime_pipeline.media.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1]), "film-") as folder:
    (folder / "film.mp4").write_bytes(b"half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def age(*paths: Path) -> None:
    then = time.time() - YOUNG_SECONDS - 1
    for path in paths:
        os.utime(path, (then, then))


def test_a_folder_is_gone_with_its_work(tmp_path: Path) -> None:
    with scratch_folder(tmp_path, "film-") as folder:
        (folder / "film.mp4").write_bytes(b"whole")
        assert folder.parent == tmp_path / "tmp"
    assert list((tmp_path / "tmp").iterdir()) == []
    assert dead_folders(tmp_path / "nowhere") == []


def test_a_killed_process_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _BUILDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as builder:
        assert builder.stdout is not None
        folder = Path(builder.stdout.readline().strip())
        age(folder / "film.mp4", folder)
        assert dead_folders(tmp_path) == [], "its process lives, however long ago it wrote"
        assert remove_dead_folders(tmp_path) == 0
        builder.send_signal(signal.SIGKILL)
    assert dead_folders(tmp_path) == [folder]
    assert folder.exists(), "looking removes nothing"
    assert remove_dead_folders(tmp_path) == 1
    assert not folder.exists()


def test_a_folder_without_a_lock_is_dead_only_when_nothing_was_written_for_an_hour(tmp_path: Path) -> None:
    folder = tmp_path / "tmp" / "film-other"
    folder.mkdir(parents=True)
    film = folder / "film.mp4"
    film.write_bytes(b"half")
    age(folder)
    assert remove_dead_folders(tmp_path) == 0
    age(film, folder)
    assert remove_dead_folders(tmp_path) == 1


def test_what_is_no_folder_of_ours_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    parent = tmp_path / "tmp"
    parent.mkdir()
    (parent / "link").symlink_to(elsewhere)
    (parent / "note.txt").write_text("mine")
    age(elsewhere, parent / "note.txt")
    assert remove_dead_folders(tmp_path) == 0
    assert elsewhere.exists()
