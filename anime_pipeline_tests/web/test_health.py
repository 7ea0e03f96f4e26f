"""Defends the health page: it tells of the database, Dagster, servers and queue as they are."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from anime_pipeline.database import server
from anime_pipeline.settings import Settings


@pytest.fixture
def heartbeats(settings: Settings) -> object:
    """Dagster's storage with the table of its daemons, and a way to let one beat so many seconds ago."""
    server.ensure_server(settings)
    engine = create_engine(server.dagster_database_url(settings))
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE daemon_heartbeats (daemon_type VARCHAR(255), timestamp TIMESTAMP)")
        )

    def beat(daemon: str, seconds_ago: float) -> None:
        then = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(seconds=seconds_ago)
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM daemon_heartbeats WHERE daemon_type = :d"), {"d": daemon})
            connection.execute(
                text("INSERT INTO daemon_heartbeats VALUES (:d, :t)"), {"d": daemon, "t": then}
            )

    yield beat
    engine.dispose()


def test_a_quiet_house_is_well(client: TestClient) -> None:
    found = client.get("/api/health").json()
    assert (found["status"], found["problems"]) == ("ok", [])
    assert found["database"]["current"]
    assert found["dagster"] == {"state": "not_running", "daemons": []}
    assert found["queue"] == {"queued": 0, "processing": 0, "failed": 0}


def test_daemons_are_told_by_their_heartbeats(client: TestClient, heartbeats: object) -> None:
    assert callable(heartbeats)
    assert client.get("/api/health").json()["dagster"]["state"] == "not_running"
    heartbeats("SENSOR", 10)
    heartbeats("SCHEDULER", 10_000)
    found = client.get("/api/health").json()
    assert found["dagster"]["state"] == "running"
    assert [(daemon["name"], daemon["alive"]) for daemon in found["dagster"]["daemons"]] == [
        ("SCHEDULER", False),
        ("SENSOR", True),
    ]
    heartbeats("SENSOR", 10_000)
    found = client.get("/api/health").json()
    assert (found["status"], found["dagster"]["state"]) == ("degraded", "silent")
    assert any("anime-pipeline dev" in problem for problem in found["problems"])


def test_servers_and_the_queue_are_told(client: TestClient, session: Session) -> None:
    session.execute(
        text("""
            INSERT INTO studio.render_servers (url, origin, state, last_error)
            VALUES ('http://gpu-1:8188', 'added', 'blocked', 'no answer')
        """)
    )
    session.execute(
        text("INSERT INTO render_queue (status) VALUES ('queued'), ('queued'), ('failed'), ('completed')")
    )
    session.commit()
    found = client.get("/api/health").json()
    assert found["status"] == "degraded"
    assert found["queue"] == {"queued": 2, "processing": 0, "failed": 1}
    assert [(one["url"], one["state"]) for one in found["servers"]] == [("http://gpu-1:8188", "blocked")]
    assert len(found["problems"]) == 2
