"""Defends errors: each is a problem with the field at fault and what to do, and none shows the inside."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from anime_pipeline.settings import Settings
from anime_pipeline.web.app import create_app
from anime_pipeline.web.problems import MEDIA_TYPE
from anime_pipeline_tests.web.clients import client_of

PROJECTS = "/api/anime/projects"


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem of an answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["request_id"] == answer.headers["x-request-id"]
    return found


def test_what_is_not_there_says_so(shared_client: TestClient) -> None:
    assert problem(shared_client.get("/api/nothing"), 404)["instance"] == "/api/nothing"  # type: ignore[arg-type]
    assert problem(shared_client.get(f"{PROJECTS}/99"), 404)["detail"] == "There is no project 99."  # type: ignore[arg-type]


def test_a_method_that_is_not_possible_names_all_that_are(shared_client: TestClient) -> None:
    answer = shared_client.delete(f"{PROJECTS}/1/story-bible")
    problem(answer, 405)  # type: ignore[arg-type]
    assert answer.headers["allow"] == "GET, POST, PUT"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["#/name"]),
        ({"name": "x", "nmae": "y"}, ["#/nmae"]),
        ({"name": "x", "fps": "24"}, ["#/fps"]),
        ({"name": "x", "fps": 0, "slug": "No Slug"}, ["#/slug", "#/fps"]),
        ({"name": "x", "workflows": {"still": 1}}, ["#/workflows/still"]),
        ({"name": "x", "resolution": "641x480"}, ["#/resolution"]),
        ({"name": "x\0"}, ["#/name"]),
        ({"name": " "}, ["#/name"]),
        ({"name": "x", "metadata": {"a": [1, {"b": "\0"}]}}, ["#/metadata"]),
        ({"name": "x", "metadata": json.loads('{"a":' * 300 + "1" + "}" * 300)}, ["#/metadata"]),
    ],
)
def test_every_field_at_fault_is_named(
    shared_client: TestClient, body: dict[str, Any], pointers: list[str]
) -> None:
    found = problem(shared_client.post(PROJECTS, json=body), 422)  # type: ignore[arg-type]
    assert [error["pointer"] for error in found["errors"]] == pointers
    assert {error["in"] for error in found["errors"]} == {"body"}


def test_a_body_that_is_missing_is_called_the_body(shared_client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    found = problem(shared_client.post(PROJECTS, content=b"", headers=headers), 422)  # type: ignore[arg-type]
    assert found["detail"] == "body: Field required"


def test_a_body_that_nobody_would_heed_is_refused(shared_client: TestClient) -> None:
    path = "/api/anime/cuts/1/omit"
    for body in (b'{"reason": "too long"}', b"nonsense"):
        found = problem(shared_client.post(path, content=body), 422)  # type: ignore[arg-type]
        assert found["detail"] == "No body is taken here."
    for body in (b"", b"{}"):
        problem(shared_client.post(path, content=body), 404)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [b"{", b"\xff\xfe", b'{"name": "x", "metadata": ' + b"[" * 100_000])
def test_a_body_that_is_no_json_is_told(shared_client: TestClient, text: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    problem(shared_client.post(PROJECTS, content=text, headers=headers), 400)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [b'{"name": "\\ud800"}', b'{"name": "x", "metadata": {"a": NaN}}'])
def test_a_body_that_cannot_be_stored_is_told(shared_client: TestClient, text: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    problem(shared_client.post(PROJECTS, content=text, headers=headers), 422)  # type: ignore[arg-type]


def test_another_content_type_is_told(shared_client: TestClient) -> None:
    answer = shared_client.post(
        PROJECTS, content=json.dumps({"name": "x"}), headers={"Content-Type": "text/plain"}
    )
    assert "application/json" in problem(answer, 415)["remedy"]  # type: ignore[arg-type]


def test_parameters_are_checked_and_named(shared_client: TestClient) -> None:
    found = problem(shared_client.get(f"{PROJECTS}?limit=0&order=name"), 422)  # type: ignore[arg-type]
    assert [(error["pointer"], error["in"]) for error in found["errors"]] == [
        ("#/limit", "query"),
        ("#/order", "query"),
    ]
    found = problem(shared_client.get(f"{PROJECTS}?lmiit=5"), 422)  # type: ignore[arg-type]
    assert "limit" in found["remedy"]
    assert found["errors"][0]["pointer"] == "#/lmiit"
    for cursor in ("nonsense", "W10", "WyJpZCIsICJ4Il0", "é"):
        found = problem(shared_client.get(PROJECTS, params={"cursor": cursor}), 422)  # type: ignore[arg-type]
        assert found["errors"][0]["pointer"] == "#/cursor"
    forged = base64.urlsafe_b64encode(b'["created_at", 5]').decode()
    found = problem(shared_client.get(PROJECTS, params={"cursor": forged, "order": "created_at"}), 422)  # type: ignore[arg-type]
    assert found["errors"][0]["pointer"] == "#/cursor"


def test_an_error_of_ours_names_itself_in_the_log_and_shows_nothing(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("anime_pipeline.web.routes.system.health_of", broken)
    with client_of(settings) as client, caplog.at_level(logging.ERROR):
        answer = client.get("/api/health")
    found = problem(answer, 500)  # type: ignore[arg-type]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert found["request_id"] in caplog.text
    assert "the secret inside" in caplog.text


def test_a_database_that_is_away_is_told_as_such(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql+psycopg2://nobody@127.0.0.1:1/none"})
    with client_of(away) as client:
        answer = client.get(PROJECTS)
    problem(answer, 503)  # type: ignore[arg-type]
    assert answer.headers["retry-after"]
    assert "nobody" not in answer.text


def test_pages_follow_each_other_while_rows_come(client: TestClient) -> None:
    for number in range(7):
        client.post(PROJECTS, json={"name": f"Project {number}"})
    for order in ("id", "-id", "created_at", "-created_at"):
        seen: list[int] = []
        cursor = None
        while True:
            page = client.get(
                PROJECTS, params={"limit": 3, "order": order} | ({"cursor": cursor} if cursor else {})
            )
            seen += [item["id"] for item in page.json()["items"]]
            assert page.json()["total"] >= 8
            if (cursor := page.json()["next"]) is None:
                break
        assert seen == sorted(seen, reverse=order.startswith("-"))
        assert len(seen) == len(set(seen)) == 8


def test_the_document_describes_every_answer() -> None:
    app = create_app(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    document = app.openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = f"{method} {path}"
            assert operation.get("summary"), place
            assert operation.get("description"), place
            assert {"422", "429", "500", "503"} <= operation["responses"].keys(), place
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
