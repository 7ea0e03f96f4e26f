"""Defends the review room: its files are there, run nothing from elsewhere, and ask only what the API has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from anime_pipeline.web.room_page import FOLDER

SCRIPTS = sorted(FOLDER.glob("*.js"))


def test_the_address_of_the_server_leads_to_the_page(shared_client: TestClient) -> None:
    answer = shared_client.get("/")
    assert answer.url.path == "/room/"
    assert "<title>Review room</title>" in answer.text


def test_no_script_of_another_origin_may_run(shared_client: TestClient) -> None:
    policy = shared_client.get("/room/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert not re.search(r"<script(?![^>]*src=)| on[a-z]+=|style=", shared_client.get("/room/").text)


def test_every_file_that_the_page_names_is_served(shared_client: TestClient) -> None:
    page = shared_client.get("/room/").text
    named = set(re.findall(r'(?:src|href)="([a-z]+\.[a-z]+)"', page))
    for script in SCRIPTS:
        named |= set(re.findall(r'from "\./([a-z]+\.js)"', script.read_text()))
    assert named == {file.name for file in FOLDER.iterdir()} - {"index.html"}
    assert all(shared_client.get(f"/room/{name}").status_code == 200 for name in named)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_address_that_a_script_asks_is_one_of_the_api(shared_client: TestClient, script: Path) -> None:
    paths = {re.sub(r"{[^}]*}", "{}", path) for path in shared_client.get("/openapi.json").json()["paths"]}
    for asked in re.findall(r'["`](/api/[^"`?]*)', script.read_text()):
        path = re.sub(r"\${[^}]*}", "{}", asked)
        # A query of its own may follow.
        assert path in paths or path.removesuffix("{}") in paths, asked


def test_nothing_outside_the_folder_is_served(shared_client: TestClient) -> None:
    assert shared_client.get("/room/../app.py").status_code == 404
    assert shared_client.get("/room/%2e%2e/app.py").status_code == 404
