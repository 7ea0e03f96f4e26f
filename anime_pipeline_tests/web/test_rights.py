"""Defends that every route of the API asks for exactly one role, and asks every caller."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from anime_pipeline.database.api_keys import ROLES
from anime_pipeline.settings import Settings
from anime_pipeline.web.changes import ChangeOf
from anime_pipeline.web.routes import ROUTERS
from anime_pipeline.web.routing import ApiRoute, api_router
from anime_pipeline_tests.web.clients import client_of, key_for

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, ApiRoute)]
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
BY_SIGNATURE = {"/api/anime/echo/webhook", "/api/anime/echo/tasks"}
"""Routes that anyone may call, since they know their callers by signatures."""
WITHOUT_AUDIT = {
    "/api/anime/quality/phase-gate/{phase}",  # computes and keeps nothing
    "/api/anime/events/ticket",
    *BY_SIGNATURE,  # the inbox of events is their log
}
FOR_READERS = {"/api/anime/events/ticket"}
"""POST routes that change nothing a reader could not see: a ticket lets its holder listen for a minute."""


def calls() -> list[Any]:
    """Each method of each route, with what it asks for."""
    return [
        pytest.param(method, re.sub(r"\{[^}]*\}", "1", route.path), route.access, id=f"{method} {route.path}")
        for route in ROUTES
        for method in sorted(route.methods or ())
    ]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_it_may_and_nothing_else(shared_settings: Settings, role: str) -> None:
    """Calls every route without a body and with ids of nothing: past the door it may answer what it likes."""
    wrong = []
    with client_of(shared_settings, "203.0.113.9", key_for(shared_settings, role)) as client:
        for call in calls():
            method, path, access = call.values
            allowed = access == "anyone" or ROLES.index(role) >= ROLES.index(access)
            status = status_of(client, method, path)
            if (status == 403) == allowed or status == 401:
                wrong.append(f"{method} {path} asks for {access} and answers {role} with {status}")
    assert not wrong


def test_nobody_gets_in_from_elsewhere_without_a_key(shared_settings: Settings) -> None:
    with client_of(shared_settings, "203.0.113.9") as client:
        statuses = {
            call.id: status_of(client, *call.values[:2]) for call in calls() if call.values[2] != "anyone"
        }
    assert set(statuses.values()) == {401}, statuses


def status_of(client: TestClient, method: str, path: str) -> int:
    """The status of an answer, whose body (it may be without end) is not read."""
    with client.stream(method, path) as answer:
        return answer.status_code


def test_a_route_without_a_role_cannot_be_made() -> None:
    router = api_router("test")
    with pytest.raises(TypeError, match="requires"):

        @router.get("/nothing")
        def nothing() -> None: ...


def test_only_signed_routes_are_open_to_anyone() -> None:
    assert {route.path for route in ROUTES if route.access == "anyone"} <= BY_SIGNATURE


def test_nothing_is_changed_by_a_viewer() -> None:
    assert not [
        f"{route.path} asks for {route.access}"
        for route in ROUTES
        if CHANGING & (route.methods or set()) and route.access == "viewer" and route.path not in FOR_READERS
    ]


def test_every_route_that_changes_something_can_note_it() -> None:
    unnoted = set()
    for route in ROUTES:
        parameters = inspect.signature(route.endpoint, eval_str=True).parameters.values()
        if CHANGING & (route.methods or set()) and ChangeOf not in [one.annotation for one in parameters]:
            unnoted.add(route.path)
    assert unnoted == WITHOUT_AUDIT


def test_the_page_lists_every_route_with_its_role() -> None:
    page = (Path(__file__).parents[2] / "docs" / "API.md").read_text(encoding="utf-8")
    rows = {f"| `{route.path.replace(':int}', '}')}` | {route.access} |" for route in ROUTES}
    missing = sorted(row for row in rows if row not in page)
    assert not missing, f"docs/API.md, Every route, lacks {missing}"
