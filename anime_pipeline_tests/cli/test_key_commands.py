"""Defends ``keys``, ``api`` and ``audit``: a key is shown once, works at once, and stops at once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from typing import Any

import httpx
import pytest

from anime_pipeline.settings import Settings
from anime_pipeline_tests.cli.test_commands import COMMAND, run


def told(settings: Settings, *arguments: str) -> Any:
    """What a command prints with --json."""
    ended = run(settings, *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_key_from_making_to_revoking(settings: Settings) -> None:
    made = told(settings, "keys", "create", "review", "--role", "viewer", "--expires", "3")
    (listed,) = told(settings, "keys", "list")
    assert (listed["name"], listed["role"], listed["state"]) == ("review", "viewer", "valid")
    assert "key" not in listed
    assert made["key"].startswith(listed["prefix"])
    assert made["key"] not in run(settings, "keys", "list").stdout
    again = run(settings, "keys", "create", "review", "--role", "artist")
    assert (again.returncode, "revoke" in again.stderr) == (1, True)
    assert run(settings, "keys", "create", "other", "--role", "king").returncode == 1
    assert run(settings, "keys", "revoke", "99").returncode == 1
    assert told(settings, "keys", "revoke", str(made["id"]))["revoked_at"]
    assert told(settings, "keys", "list")[0]["state"] == "revoked"

    entries = told(settings, "audit", "--since", "1h")
    assert [(entry["actor"], entry["action"], entry["subject"]) for entry in entries] == [
        ("command line", "create", "api_key"),
        ("command line", "revoke", "api_key"),
    ]
    assert made["key"] not in json.dumps(entries)
    assert told(settings, "audit", "--since", "2999-01-01") == []
    assert run(settings, "audit", "--since", "yesterday").returncode == 1


def test_the_api_is_not_opened_to_other_machines_without_a_key(settings: Settings) -> None:
    refused = run(settings, "api", "--host", "0.0.0.0")
    assert refused.returncode == 1
    assert "keys create" in refused.stderr


@pytest.mark.slow
def test_the_api_serves_until_it_is_told_to_stop(settings: Settings) -> None:
    key = told(settings, "keys", "create", "review", "--role", "viewer")["key"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "ANIME_HOME": str(settings.home),
        "ANIME_DATABASE_URL": str(settings.database_url),
        "ANIME_API_OPEN_ON_LOOPBACK": "false",
    }
    process = subprocess.Popen([COMMAND, "api", "--port", str(port), "--workers", "2"], env=environment)
    try:
        deadline = time.monotonic() + 150
        url = f"http://127.0.0.1:{port}/api/version"
        while (answer := _get(url, key)) is None:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert answer.status_code == 200
        without = _get(url, None)
        assert without is not None
        assert without.status_code == 401
        told(settings, "keys", "revoke", "1")
        revoked = _get(url, key)
        assert revoked is not None
        assert revoked.status_code == 401
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) is not None


def _get(url: str, key: str | None) -> httpx.Response | None:
    try:
        return httpx.get(url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=10)
    except httpx.TransportError:
        return None
