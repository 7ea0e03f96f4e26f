"""Defends that a request sent again is done once, and that two editors do not overwrite each other."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import AuditEntry, IdempotentAnswer, Project
from anime_pipeline.database.session import session_scope
from anime_pipeline.settings import Settings
from anime_pipeline_tests.web.clients import client_of, key_for
from anime_pipeline_tests.web.running import running_api

PROJECTS = "/api/anime/projects"
KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


def projects(session: Session) -> int:
    """How many there are besides the default one."""
    session.rollback()
    return (session.scalar(select(func.count()).select_from(Project)) or 0) - 1


def test_the_same_request_gets_the_same_answer(client: TestClient, session: Session) -> None:
    first = client.post(PROJECTS, json={"name": "One"}, headers=KEY)
    again = client.post(PROJECTS, json={"name": "One"}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert projects(session) == 1
    assert len(session.scalars(select(AuditEntry)).all()) == 1


def test_a_key_is_for_one_request(client: TestClient, session: Session) -> None:
    client.post(PROJECTS, json={"name": "One"}, headers=KEY)
    other = client.post(PROJECTS, json={"name": "Two"}, headers=KEY)
    assert other.status_code == 422
    assert other.json()["errors"][0] == {
        "pointer": "#/Idempotency-Key", "detail": "The key was used for another request.", "in": "header"
    }  # fmt: skip
    assert projects(session) == 1


def test_a_refused_request_leaves_its_key_free(client: TestClient, session: Session) -> None:
    client.post(PROJECTS, json={"name": "One"})
    assert client.post(PROJECTS, json={"name": "One"}, headers=KEY).status_code == 409
    assert client.post(PROJECTS, json={"name": "Two"}, headers=KEY).status_code == 201
    assert projects(session) == 2


def test_keys_of_two_callers_do_not_meet(settings: Settings, session: Session) -> None:
    for name in ("one", "two"):
        with client_of(settings, "203.0.113.9", key_for(settings, "artist", name)) as client:
            assert client.post(PROJECTS, json={"name": name}, headers=KEY).status_code == 201
    assert projects(session) == 2


def test_a_key_is_forgotten_after_a_day(client: TestClient, session: Session) -> None:
    client.post(PROJECTS, json={"name": "One"}, headers=KEY)
    session.execute(text("UPDATE studio.idempotent_answers SET created_at = now() - interval '25 hours'"))
    session.commit()
    assert client.post(PROJECTS, json={"name": "Two"}, headers=KEY).status_code == 201


def test_duplicates_at_once_are_done_once(settings: Settings, session: Session) -> None:
    """Over sockets, so that they truly run beside each other."""
    start = threading.Barrier(8)
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as sender:

        def post(_: int) -> httpx.Response:
            start.wait()
            return sender.post(PROJECTS, json={"name": "One"}, headers=KEY)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(post, range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert projects(session) == 1


def test_a_request_that_never_ended_is_not_done_again(client: TestClient, settings: Settings) -> None:
    client.post(PROJECTS, json={"name": "One"}, headers=KEY)
    with session_scope(settings) as session:
        session.query(IdempotentAnswer).update({"status": None})
    assert client.post(PROJECTS, json={"name": "One"}, headers=KEY).status_code == 409


@pytest.fixture
def project(client: TestClient) -> str:
    """The path of a project."""
    return f"{PROJECTS}/{client.post(PROJECTS, json={'name': 'One'}).json()['id']}"


def edit(
    client: TestClient | httpx.Client, path: str, etag: str | None = None, **body: Any
) -> httpx.Response:
    """A change, for the version that ``etag`` names."""
    return client.put(path, json=body, headers={"If-Match": etag} if etag else {})  # type: ignore[return-value]


def test_the_second_of_two_editors_is_told(client: TestClient, project: str) -> None:
    etag = client.get(project).headers["etag"]
    mine = edit(client, project, etag, description="mine")
    assert mine.status_code == 200
    theirs = edit(client, project, etag, description="theirs")
    assert theirs.status_code == 412
    assert client.get(project).json()["description"] == "mine"
    assert edit(client, project, mine.headers["etag"], description="theirs").status_code == 200
    assert edit(client, project, "*", description="whatever").status_code == 200


def test_no_if_match_goes_unheeded(client: TestClient, project: str) -> None:
    other = {"If-Match": '"another"'}
    bible = f"{project}/story-bible"
    assert client.put(bible, json={"line_weight": "thin"}, headers=other).status_code == 412
    refused = client.post(bible, json={"line_weight": "thin"}, headers=other)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/If-Match")
    assert client.get(bible).status_code == 404
    episodes = [client.post(f"{project}/episodes", json={}).json()["id"] for _ in range(2)]
    scenes = [
        client.post(f"/api/anime/episodes/{episodes[0]}/scenes", json={}).json()["id"] for _ in range(2)
    ]
    cuts = [
        client.post(f"/api/anime/scenes/{scenes[0]}/cuts", json={"kind": "still"}).json()["id"]
        for _ in range(2)
    ]
    for parent, what, ids in (
        (project, "episode", episodes),
        (f"/api/anime/episodes/{episodes[0]}", "scene", scenes),
        (f"/api/anime/scenes/{scenes[0]}", "cut", cuts),
    ):
        read = {"If-Match": client.get(parent).headers["etag"]}
        order = {f"{what}_ids": ids[::-1]}
        first = client.put(f"{parent}/{what}s/order", json=order, headers=read)
        assert (first.status_code, [one["id"] for one in first.json()["items"]]) == (200, ids[::-1])
        second = client.put(f"{parent}/{what}s/order", json={f"{what}_ids": ids}, headers=read)
        assert second.status_code == 412, what


def test_the_same_version_is_not_sent_twice(client: TestClient, project: str) -> None:
    etag = client.get(project).headers["etag"]
    answer = client.get(project, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (answer.status_code, answer.content) == (304, b"")


def test_earlier_clients_need_no_if_match_unless_the_setting_says_so(
    client: TestClient, settings: Settings, project: str
) -> None:
    assert edit(client, project, description="blind").status_code == 200
    strict = settings.model_copy(update={"api_require_if_match": True})
    with client_of(strict) as careful:
        assert edit(careful, project, description="blind").status_code == 428


def test_editors_at_once_lose_nothing(settings: Settings, client: TestClient, project: str) -> None:
    """Five editors add a word each, reading again whenever they are told that they were too late."""
    words = [f"word{n}" for n in range(5)]
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as editors:

        def add(word: str) -> None:
            while True:
                now = editors.get(project)
                text = f"{now.json()['description']} {word}"
                answer = edit(editors, project, now.headers["etag"], description=text)
                if answer.status_code == 200:
                    return
                assert answer.status_code == 412, answer.text

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(add, words))
    assert sorted(client.get(project).json()["description"].split()) == words


def test_every_change_is_in_the_audit_log(settings: Settings, session: Session) -> None:
    key = key_for(settings, "artist", "mika's tablet")
    with client_of(settings, "203.0.113.9", key) as client:
        made = client.post(PROJECTS, json={"name": "One"}, headers={"X-Request-ID": "r-1"}).json()
        edit(client, f"{PROJECTS}/{made['id']}", description="new")
        edit(client, f"{PROJECTS}/{made['id']}", name="Default Anime Project")
    entries = session.scalars(select(AuditEntry).where(AuditEntry.subject == "project")).all()
    assert [(entry.actor, entry.role, entry.action) for entry in entries] == [
        ("mika's tablet", "artist", "create"),
        ("mika's tablet", "artist", "update"),
    ]
    assert entries[0].request_id == "r-1"
    assert (entries[0].before, entries[0].after) == (None, made)
    assert entries[1].before is not None
    assert entries[1].after is not None
    assert (entries[1].before["description"], entries[1].after["description"]) == ("", "new")
