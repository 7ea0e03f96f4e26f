"""Fixtures for the whole suite: one embedded server for all tests, a fresh migrated database for each.

The server is the product's own, in a home of its own under the temporary folder; nothing of a developer's
home or of ``ANIME_*`` in the environment is touched or used.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from sqlalchemy import URL, make_url
from sqlalchemy.orm import Session

from anime_pipeline.database import migrations, server
from anime_pipeline.database.external import connect, render
from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings

_numbers = count(1)

# The same examples for everybody: what fails here fails there. `--hypothesis-profile=default` seeks new ones.
hypothesis_settings.register_profile("repeatable", derandomize=True)
hypothesis_settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Tests say their settings themselves, and so do the processes that they start.

    Only ANIME_COMFYUI_URL stays: no setting, but the server that the contract suite is run against. Tables
    are as wide as for a pipe, whatever terminal the tests are run on.
    """
    os.environ.pop("COLUMNS", None)
    for name in [name for name in os.environ if name.startswith("ANIME_")]:
        if name != "ANIME_COMFYUI_URL":
            del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: begun last, they would keep one worker busy long after the other has ended."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def _entrance(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.getbasetemp()
    own = [folder for folder in base.parents if folder.name.startswith("pytest-")]  # one more with workers
    for folder in (base, *own):
        folder.chmod(0o711)


@pytest.fixture
def tmp_path(tmp_path: Path, _entrance: None) -> Path:
    """Pytest's folder, which root's server account may pass through; else clusters would be made outside."""
    tmp_path.chmod(0o711)
    return tmp_path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Settings]:
    """Settings of the one embedded server. Its database ``anime`` is migrated: the template of the others."""
    with folder_for_a_server() as folder:
        settings = Settings(home=folder / "home")
        server.ensure_server(settings)
        _prepare_template(settings)
        yield settings
        engine_for(settings).dispose()
        server.stop_server(settings)


@pytest.fixture
def embedded_settings() -> Iterator[Settings]:
    """A fresh home without a database URL: its own embedded server, not started yet, stopped afterwards."""
    with folder_for_a_server() as folder:
        settings = Settings(home=folder / "home")
        yield settings
        server.stop_server(settings)


@pytest.fixture
def settings(postgres: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A fresh home with a fresh, migrated database. Dagster's database is made by ``ensure_server``."""
    yield from _fresh_database(postgres, tmp_path / "home", "TEMPLATE anime")


@pytest.fixture
def empty_settings(postgres: Settings, tmp_path: Path) -> Iterator[Settings]:
    """As ``settings``, with nothing in the database: no table, no revision."""
    yield from _fresh_database(postgres, tmp_path / "empty-home", "TEMPLATE template0")


@pytest.fixture
def session(settings: Settings) -> Iterator[Session]:
    """A session on the database of ``settings``; commit it for others to see what it wrote."""
    with Session(engine_for(settings), expire_on_commit=False) as opened:
        yield opened


def _fresh_database(postgres: Settings, home: Path, template: str) -> Iterator[Settings]:
    name = f"test_{next(_numbers)}"
    # Copying the files takes a third of the time that writing them to the log would.
    _execute(postgres, f"CREATE DATABASE {name} {template} STRATEGY file_copy")
    url = make_url(server.database_url(postgres)).set(database=name)
    fresh = Settings(home=home, database_url=render(url))
    home.mkdir()
    yield fresh
    engine_for(fresh).dispose()
    _execute(
        postgres,
        f"DROP DATABASE {name} WITH (FORCE)",
        f"DROP DATABASE IF EXISTS {name}_dagster WITH (FORCE)",
    )


@contextmanager
def folder_for_a_server() -> Iterator[Path]:
    """A temporary folder that root's server account may enter; pytest's own are 0700."""
    with tempfile.TemporaryDirectory(prefix="anime-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _prepare_template(settings: Settings) -> None:
    """Tests may lose their data in a power cut; a template must have no connections."""
    _execute(
        settings,
        "ALTER SYSTEM SET fsync = off",
        "ALTER SYSTEM SET full_page_writes = off",
        "SELECT pg_reload_conf()",
    )
    migrations.upgrade(settings)
    engine_for(settings).dispose()


def _execute(settings: Settings, *statements: str) -> None:
    connection = connect(_maintenance_url(settings))
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


def _maintenance_url(settings: Settings) -> URL:
    return make_url(server.database_url(settings)).set(database="postgres")
