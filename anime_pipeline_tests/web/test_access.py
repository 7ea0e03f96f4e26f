"""Defends the door: keys, machines that only look local, pages of other origins, limits."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from anime_pipeline.database.api_keys import create_key, revoke_key
from anime_pipeline.database.models import ApiKey, AuditEntry
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings
from anime_pipeline.web.problems import ProblemError
from anime_pipeline.web.rate_limit import RateLimit
from anime_pipeline_tests.web.clients import client_of, key_for

ELSEWHERE = "203.0.113.9"
VERSION = "/api/version"


def test_only_the_hash_of_a_key_is_kept(session: Session) -> None:
    key, secret = create_key(session, "review", "viewer")
    session.flush()
    kept = session.execute(text("SELECT * FROM studio.api_keys")).one()
    assert secret not in str(kept)
    assert key.prefix == secret[: len(key.prefix)]
    assert len(secret) > 2 * len(key.prefix)
    logged = session.scalars(select(AuditEntry)).one()
    assert (logged.action, logged.subject) == ("create", "api_key")
    assert secret not in str(logged.after)


def test_a_name_is_free_again_when_its_key_is_revoked(session: Session) -> None:
    key, _ = create_key(session, "review", "viewer")
    with pytest.raises(UserError, match="already"):
        create_key(session, "review", "artist")
    revoke_key(session, key.id)
    create_key(session, "review", "artist")


def test_a_key_lets_in_until_it_is_revoked_or_expires(settings: Settings) -> None:
    with client_of(settings, ELSEWHERE, key_for(settings, "viewer")) as client:
        assert client.get(VERSION).status_code == 200
        with session_scope(settings) as session:
            key = session.scalars(select(ApiKey)).one()
            assert key.last_used_at is not None
            past = datetime.now(timezone.utc) - timedelta(seconds=1)
            session.execute(update(ApiKey).values(expires_at=past))
        assert client.get(VERSION).status_code == 401
        with session_scope(settings) as session:
            session.execute(update(ApiKey).values(expires_at=None))
        assert client.get(VERSION).status_code == 200
        with session_scope(settings) as session:
            revoke_key(session, key.id)
        answer = client.get(VERSION)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert "keys create" in answer.json()["remedy"]


@pytest.mark.parametrize(
    "header", ["Basic YTpi", "Bearer", "Bearer ", "nonsense", "Bearer ü".encode("latin-1")]
)
def test_other_credentials_are_refused(shared_client: TestClient, header: str | bytes) -> None:
    assert shared_client.get(VERSION, headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"])
def test_a_proxy_on_this_machine_makes_nobody_local(
    shared_client: TestClient, shared_settings: Settings, header: str
) -> None:
    assert shared_client.get(VERSION).status_code == 200
    assert shared_client.get(VERSION, headers={header: "127.0.0.1"}).status_code == 401
    with client_of(shared_settings, ELSEWHERE) as client:
        assert client.get(VERSION, headers={header: "127.0.0.1"}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8328", "localhost.evil.example", "", "[::1"])
def test_a_foreign_name_that_leads_here_is_refused(shared_client: TestClient, host: str) -> None:
    assert shared_client.get(VERSION, headers={"Host": host}).status_code == 403


def test_further_names_of_this_machine_are_a_setting(shared_settings: Settings) -> None:
    named = shared_settings.model_copy(update={"api_allowed_hosts": "Studio.local, evil.example"})
    with client_of(named) as client:
        assert client.get(VERSION, headers={"Host": "studio.local:8328"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},  # what else runs on this machine is not this server
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_origins_change_nothing_here(
    shared_client: TestClient, headers: dict[str, str]
) -> None:
    answer = shared_client.post("/api/anime/projects", json={"name": "One"}, headers=headers)
    assert answer.status_code == 403
    assert shared_client.get("/api/anime/projects?name=One").json()["total"] == 0
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_this_server_may_call(shared_client: TestClient) -> None:
    for headers in ({"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}):
        assert shared_client.get(VERSION, headers=headers).status_code == 200


def test_no_page_shows_another_of_ours_in_a_frame(shared_client: TestClient) -> None:
    """A framed /docs would send requests for whoever guides its visitor's clicks."""
    for path in ("/docs", "/room/", VERSION, "/api/nothing"):
        assert "frame-ancestors 'none'" in shared_client.get(path).headers["content-security-policy"], path


def test_the_documents_page_runs_no_script_of_another_server(shared_client: TestClient) -> None:
    page = shared_client.get("/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) >= 2
    assert "persistAuthorization" not in page, "a key would stay in the browser"
    for url in loaded:
        assert httpx.URL(url).host == shared_client.base_url.host
        assert shared_client.get(url).status_code == 200


def test_named_origins_may_call(settings: Settings) -> None:
    named = settings.model_copy(update={"api_cors_origins": "https://review.example"})
    with client_of(named) as client:
        answer = client.get(VERSION, headers={"Origin": "https://review.example"})
        assert answer.headers["access-control-allow-origin"] == "https://review.example"
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        assert client.options("/api/anime/projects", headers=asked).status_code == 400
        resuming = {
            "Origin": "https://review.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization, last-event-id",
        }
        assert client.options("/api/anime/events", headers=resuming).status_code == 200


def test_this_machine_needs_a_key_where_the_setting_says_so(settings: Settings) -> None:
    closed = settings.model_copy(update={"api_open_on_loopback": False})
    with client_of(closed) as client:
        assert client.get(VERSION).status_code == 401


def test_too_many_requests_are_told_when_to_come_back(settings: Settings) -> None:
    few = settings.model_copy(update={"api_requests_per_minute": 10})
    with client_of(few) as client:
        statuses = [client.get(VERSION).status_code for _ in range(4)]
        answer = client.get(VERSION)
    assert statuses == [200, 200, 429, 429]
    assert int(answer.headers["retry-after"]) in range(1, 7)


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    limit = RateLimit(60, lambda: now[0])
    for _ in range(12):
        limit.spend("a")
    with pytest.raises(ProblemError):
        limit.spend("a")
    limit.spend("b")
    now[0] = 1.0
    limit.spend("a")
    with pytest.raises(ProblemError):
        limit.spend("a")


def test_a_long_body_is_refused_before_it_is_read(settings: Settings) -> None:
    short = settings.model_copy(update={"api_max_body_kib": 1})
    with client_of(short) as client:
        announced = client.post("/api/anime/projects", json={"name": "x", "description": "y" * 2000})
        assert announced.status_code == 413
        assert "ANIME_API_MAX_BODY_KIB" in announced.json()["remedy"]

        sent = iter([b'{"name": "x", "description": "'] + [b"y" * 500] * 5 + [b'"}'])
        streamed = client.post(
            "/api/anime/projects", content=sent, headers={"Content-Type": "application/json"}
        )
        assert streamed.status_code == 413


def test_the_audit_log_is_only_added_to(session: Session) -> None:
    create_key(session, "review", "viewer")
    session.commit()
    for statement in (
        "UPDATE studio.audit_log SET actor = 'me'",
        "DELETE FROM studio.audit_log",
        "TRUNCATE studio.audit_log",
    ):
        with pytest.raises(ProgrammingError, match="only added to"):
            session.execute(text(statement))
        session.rollback()
