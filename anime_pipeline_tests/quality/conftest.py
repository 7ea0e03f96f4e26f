"""A studio on a fresh database, with a session that may be committed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings
from anime_pipeline_tests.quality.studio import Studio


@pytest.fixture
def studio(settings: Settings, tmp_path: Path) -> Iterator[Studio]:
    """An empty production named Lantern Post."""
    with Session(engine_for(settings), expire_on_commit=False) as session:
        yield Studio(session, settings, tmp_path)
