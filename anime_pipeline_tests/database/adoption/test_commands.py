"""Defends `anime-pipeline db …` on a v1 database: exit statuses, JSON, the refusals, and the way back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from anime_pipeline.cli import app
from anime_pipeline.database.errors import MigrationError
from anime_pipeline.errors import UserError
from anime_pipeline.settings import get_settings
from anime_pipeline_tests.database.adoption.conftest import Studio


@pytest.fixture
def major() -> str:
    """One server is enough here."""
    return "18"


@pytest.fixture(autouse=True)
def _environment(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ANIME_HOME", str(studio.settings.home))
    monkeypatch.setenv("ANIME_DATABASE_URL", studio.settings.database_url or "")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def json_of(*arguments: str) -> Any:
    result = run("db", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_whole_way(studio: Studio) -> None:
    before = studio.content()
    assert len(json_of("status")["tables awaiting migration"]) == 13
    assert json_of("verify")["fit"] is True
    assert studio.content() == before, "looking changes nothing"
    assert f"{studio.database}_dagster" not in studio.server.databases()

    refused = run("status").exception
    assert isinstance(refused, MigrationError)
    assert "anime-pipeline db migrate" in (refused.remedy or "")
    assert studio.content() == before

    done = json_of("migrate")
    assert done["verified"]["public_tables"] == 25
    assert json_of("migrate")["done"].startswith("nothing")
    assert json_of("verify", "--against", done["backup"])["verified"]["tables_compared"] == 13
    assert json_of("restore-test")["restored"] == done["backup"]
    assert json_of("backup")["tables"] > 25

    asked = run("db", "rollback", done["backup"]).exception
    assert isinstance(asked, UserError)
    assert re.search(r"public\.quality_gates: 34 rows then, \d+ now, largest id 34 then, \d+ now", str(asked))
    assert "--yes" in (asked.remedy or "")
    assert json_of("rollback", done["backup"], "--yes")["kept_as"] in studio.server.databases()
    assert studio.content() == before


def test_verify_ends_with_1_and_names_what_is_in_the_way(studio: Studio) -> None:
    studio.execute("CREATE TABLE jobs (id UUID PRIMARY KEY)")
    result = run("db", "verify", "--json")
    assert result.exit_code == 1
    blocking = [f for f in json.loads(result.stdout)["findings"] if f["level"] == "blocks"]
    assert [finding["subject"] for finding in blocking] == ["jobs"]
    assert "RENAME TO" in blocking[0]["remedy"]
