"""Defends that Dagster's own database is backed up, tested, thinned out and restored as the studio's is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner, Result

from anime_pipeline.cli import adoption_commands, app
from anime_pipeline.database.adoption.backup import back_up, restore_test
from anime_pipeline.database.adoption.connections import dagster_url
from anime_pipeline.database.adoption.errors import AdoptionError
from anime_pipeline.database.adoption.manifest import (
    MANIFEST,
    NAME_FORMAT,
    Backup,
    backups_folder,
    list_backups,
)
from anime_pipeline.database.adoption.retention import kept_times
from anime_pipeline.database.adoption.rollback import losses, rollback
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.external import render
from anime_pipeline.defs.maintenance.backups import back_up_database, restore_test_database
from anime_pipeline.defs.runner import end_restored_runs
from anime_pipeline.defs.studio import Studio as StudioResource
from anime_pipeline.errors import UserError
from anime_pipeline.settings import get_settings
from anime_pipeline_tests.database.adoption.conftest import Studio


@pytest.fixture
def major() -> str:
    """What a backup is doesn't hang on the version."""
    return "18"


@pytest.fixture
def dagster(studio: Studio) -> str:
    """The name of a database of Dagster's in which one run is told of."""
    name = f"{studio.database}_dagster"
    studio.server.execute(f"CREATE DATABASE {name}")
    studio.server.execute(
        "CREATE TABLE runs (id SERIAL PRIMARY KEY, status TEXT)",
        "INSERT INTO runs (status) VALUES ('SUCCESS')",
        f"ALTER DATABASE {name} SET synchronous_commit = off",
        database=name,
    )
    return name


def backup_of_dagster(studio: Studio) -> Backup:
    return back_up(studio.settings, which="dagster")


def test_each_database_has_its_own_backups(studio: Studio, dagster: str) -> None:
    of_studio, of_dagster = back_up(studio.settings), backup_of_dagster(studio)
    assert [backup.name for backup in list_backups(studio.settings)] == [of_studio.name]
    assert [backup.name for backup in list_backups(studio.settings, "dagster")] == [of_dagster.name]
    assert of_dagster.folder.parent == studio.settings.home / "backups" / "dagster"
    assert of_dagster.folder.parent.stat().st_mode & 0o777 == 0o700
    assert of_dagster.manifest.database == dagster
    assert {name: held.rows for name, held in of_dagster.manifest.tables.items()} == {"public.runs": 1}
    assert restore_test(studio.settings, which="dagster").name == of_dagster.name
    of_dagster.dump.write_bytes(b"")
    with pytest.raises(AdoptionError, match="corrupted"):
        restore_test(studio.settings, which="dagster")
    assert restore_test(studio.settings).name == of_studio.name
    assert not [name for name in studio.server.databases() if "scratch" in name]


def test_history_comes_back_and_the_studio_s_database_stays(studio: Studio, dagster: str) -> None:
    backup, content = backup_of_dagster(studio), studio.content()
    studio.server.execute("INSERT INTO runs (status) VALUES ('FAILURE')", database=dagster)
    said = losses(studio.settings, backup.name, "dagster").changes
    assert said == ("public.runs: 1 rows then, 2 now, largest id 1 then, 2 now",)
    with pytest.raises(AdoptionError, match="no backup"):
        rollback(studio.settings, backup.name)  # it is none of the studio's
    done = rollback(studio.settings, backup.name, which="dagster")
    assert losses(studio.settings, backup.name, "dagster").changes == ()
    assert {dagster, done.kept_as} <= studio.server.databases()
    assert studio.content() == content
    setting = (
        "SELECT setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname"
    )
    assert studio.scalar(f"{setting} = '{dagster}'") == ["synchronous_commit=off"]


def test_a_database_that_dagster_never_made(studio: Studio) -> None:
    assert dagster_url(studio.settings) is None
    with pytest.raises(DatabaseError, match="no database yet") as caught:
        backup_of_dagster(studio)
    assert "db start" in (caught.value.remedy or "")
    assert f"{studio.database}_dagster" not in studio.server.databases(), "looking makes nothing"


def run_job(job: dg.JobDefinition, of: Studio) -> dict[str, bool]:
    """Op → whether it went well."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, raise_on_error=False, resources={"studio": StudioResource(of.settings)}
        )
    ended = [event for event in result.all_events if event.is_step_success or event.is_step_failure]
    return {str(event.step_key): event.is_step_success for event in ended}


def old_backup(studio: Studio, made: Backup, days: int) -> datetime:
    """Another nightly backup of Dagster's, so many days older; returns when it says it was taken."""
    taken_at = made.manifest.taken_at - timedelta(days=days)
    folder = backups_folder(studio.settings, "dagster") / taken_at.strftime(NAME_FORMAT)
    folder.mkdir()
    manifest = replace(made.manifest, taken_at=taken_at, purpose="nightly")
    (folder / MANIFEST).write_text(json.dumps(manifest.as_json()))
    return taken_at


def test_the_nightly_job_backs_up_both_and_thins_out_both(studio: Studio, dagster: str) -> None:
    made = backup_of_dagster(studio)
    older = [old_backup(studio, made, days) for days in range(1, 40)]
    assert all(run_job(back_up_database, studio).values())
    assert [backup.manifest.purpose for backup in list_backups(studio.settings)] == ["nightly"]
    held = list_backups(studio.settings, "dagster")
    assert [backup.manifest.purpose for backup in held][-2:] == ["manual", "nightly"]
    nights = [backup.manifest.taken_at for backup in held if backup.manifest.purpose == "nightly"]
    assert set(nights) == kept_times([*nights, *older]), "seven days and four weeks"
    held[-1].dump.write_bytes(b"")
    assert run_job(restore_test_database, studio) == {
        "test_newest_backup": True, "test_newest_backup_of_dagster": False,
    }  # fmt: skip


def test_one_server_that_is_away_keeps_no_other_database_from_its_backup(studio: Studio) -> None:
    away = render(make_url(studio.settings.database_url or "").set(port=1, database="dagster"))
    settings = studio.settings.model_copy(update={"dagster_database_url": away})
    ended = run_job(back_up_database, Studio(studio.server, settings, studio.database))
    assert ended["make_nightly_backup"]
    assert not ended["make_nightly_backup_of_dagster"]
    assert len(list_backups(settings)) == 1


@pytest.fixture
def command(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `anime-pipeline db …` on the studio."""
    monkeypatch.setenv("ANIME_HOME", str(studio.settings.home))
    monkeypatch.setenv("ANIME_DATABASE_URL", studio.settings.database_url or "")

    def run(*arguments: str) -> Result:
        get_settings.cache_clear()
        return CliRunner().invoke(app, ["db", *arguments])

    yield run
    get_settings.cache_clear()


def test_runs_of_a_restored_database_that_cannot_be_under_way_are_ended() -> None:
    statuses = dg.DagsterRunStatus
    before = [statuses.STARTED, statuses.STARTING, statuses.CANCELING, statuses.NOT_STARTED, statuses.SUCCESS]
    with dg.DagsterInstance.ephemeral() as instance:
        runs = [instance.create_run_for_job(restore_test_database, status=status) for status in before]
        assert end_restored_runs(instance) == 3
        found = [instance.get_run_by_id(run.run_id) for run in runs]
        after = [run.status for run in found if run is not None]
    assert after == [statuses.FAILURE] * 3 + [statuses.NOT_STARTED, statuses.SUCCESS]


def test_the_commands(studio: Studio, dagster: str, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[Any] = []
    monkeypatch.setattr(adoption_commands, "run_jobs", lambda house, asked: steps.extend(asked))
    made = json.loads(command("backup", "--json").stdout)
    name = made["dagster"]["name"]
    assert made["dagster"]["rows"] == 1
    assert json.loads(command("status", "--json").stdout)["backups of Dagster's database"] == [
        f"{name} (manual)"
    ]
    assert json.loads(command("restore-test", "--dagster", "--json").stdout)["restored"] == name
    studio.server.execute("INSERT INTO runs (status) VALUES ('FAILURE')", database=dagster)
    asked = command("rollback", name, "--dagster").exception
    assert isinstance(asked, UserError)
    assert f"db rollback {name} --dagster --yes" in (asked.remedy or "")
    assert steps == []
    assert command("rollback", name, "--dagster", "--yes").exit_code == 0
    assert steps == ["end-runs"]
    assert (studio.settings.dagster_home / "dagster.yaml").exists()
    assert losses(studio.settings, name, "dagster").changes == ()


def test_a_failure_of_one_says_that_the_other_is_made(
    studio: Studio, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "none to back up" in command("backup").stdout
    away = render(make_url(studio.settings.database_url or "").set(port=1, database="dagster"))
    monkeypatch.setenv("ANIME_DAGSTER_DATABASE_URL", away)
    error = command("backup").exception
    assert isinstance(error, UserError)
    assert f"backed up in {list_backups(studio.settings)[-1].folder}; Dagster's is not" in str(error)
    assert len(list_backups(studio.settings)) == 2
