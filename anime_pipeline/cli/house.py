"""Opens an installation for a command: database up and migrated, Dagster's home written."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from anime_pipeline.database import migrations, server
from anime_pipeline.echo_brain.identity import greet
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings, get_settings

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class House:
    """An opened installation."""

    settings: Settings

    def environment(self) -> dict[str, str]:
        """What stock Dagster tools need in their environment to work on this home."""
        environment = {
            "ANIME_HOME": str(self.settings.home),
            "DAGSTER_HOME": str(self.settings.dagster_home),
            "DAGSTER_POSTGRES_URL": server.dagster_database_url(self.settings),
            # Twenty events are stored in one transaction; one at a time halves the speed of a range run.
            "DAGSTER_EVENT_BATCH_SIZE": "20",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }
        return environment

    def process_environment(self) -> dict[str, str]:
        """:meth:`environment` on top of this process's own."""
        return {**os.environ, **self.environment(), "PYTHONWARNINGS": "ignore"}


def open_house(unadopted: bool = False) -> House:
    """Start or join the database, bring it up to date and write Dagster's home.

    With ``unadopted`` a database of an earlier system is left as it is: Dagster's UI, where its migration may
    be started, must open on it.

    Raises:
        UserError: the database can't be reached or migrated, or holds an earlier system's tables; the message
            says what to do.
    """
    settings = get_settings()
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UserError(
            f"The home {settings.home} can't be made: {why}.",
            "set ANIME_HOME to a folder that this account may write to",
        ) from None
    server.ensure_server(settings)
    if not (unadopted and migrations.awaits_adoption(settings)):
        migrations.upgrade(settings)
        greet(settings)
    write_dagster_home(settings)
    return House(settings)


def write_dagster_home(settings: Settings) -> None:
    """Have Dagster's tools find this home's storage and limits."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(REPOSITORY / "dagster.yaml", settings.dagster_home / "dagster.yaml")
