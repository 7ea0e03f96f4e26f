"""Finds the home's shared preview server, or starts it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import requests

from anime_pipeline.errors import UserError
from anime_pipeline.preview import SERVER_KIND
from anime_pipeline.preview.users_watch import LOCK_NAME, address_file, run_dir
from anime_pipeline.settings import Settings
from anime_pipeline.shared_process import UsersLock

START_SECONDS = 60.0
_ANSWER_SECONDS = 5.0
_LOG_LINES = 15

_used: dict[Path, UsersLock] = {}
_using = threading.Lock()
_started: list[subprocess.Popen[bytes]] = []  # kept, so that a child that ended is reaped quietly


class PreviewServerError(UserError):
    """The preview server could not be started."""


def ensure_preview_server(settings: Settings) -> str:
    """URL of this home's preview server, started in the background if none runs.

    This process counts as its user until it ends; the server goes a few seconds after its last user. Safe to
    call from several threads and processes at once. Raises PreviewServerError with the end of the log.
    """
    home = settings.home
    with _using:
        lock = _used.get(home) or _used.setdefault(home, UsersLock(run_dir(home), LOCK_NAME))
        lock.enter()
        with lock.starting():
            return _running_url(home) or _start(home)


def _running_url(home: Path) -> str | None:
    """The address that was left in the home, if the server that left it still answers there."""
    try:
        address = json.loads(address_file(home).read_text())
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the office would look for it on its own machine
            answer = session.get(f"{address['url']}/system_stats", timeout=_ANSWER_SECONDS).json()
        system = answer["system"]
        found = system["server_kind"] == SERVER_KIND and system["instance"] == address["instance"]
        return str(address["url"]) if found else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _start(home: Path) -> str:
    """Start a server and wait until it says its URL on a pipe, or dies."""
    log = home / "logs" / "preview.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [
                    sys.executable,
                    *("-m", "anime_pipeline.preview", "--home", str(home), "--port", "0"),
                    *("--shared", "--ready-fd", str(writer)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(writer,),
                start_new_session=True,
            )
        _started.append(process)
        os.close(writer)
        ready, _, _ = select.select([reader], [], [], START_SECONDS)
        url = os.read(reader, 4096).decode().strip() if ready else ""
    finally:
        os.close(reader)
    if not url:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        raise PreviewServerError(
            f"the preview server did not start; the end of its log:\n{tail}", remedy=f"see {log}"
        )
    return url
