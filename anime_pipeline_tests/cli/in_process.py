"""Runs the command in this process: a process of its own costs seconds, most of them for imports."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from anime_pipeline.cli import main
from anime_pipeline.settings import Settings


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def run(settings: Settings, *arguments: str) -> Done:
    """Run ``anime-pipeline`` with these arguments on an installation."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    # What it starts in a process of its own is told by the environment.
    environment = {"ANIME_HOME": str(settings.home), "ANIME_DATABASE_URL": str(settings.database_url)}
    with (
        patch.dict(os.environ, environment),
        patch("anime_pipeline.cli.house.get_settings", lambda: settings),
        patch.object(sys, "argv", ["anime-pipeline", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return Done(int(str(code or 0)), out.getvalue(), err.getvalue())
