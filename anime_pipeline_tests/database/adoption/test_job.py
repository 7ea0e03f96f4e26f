"""Defends the job `migrate_database` and the schedules: what a person reads in the UI, and where it stops."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from anime_pipeline.database import migrations
from anime_pipeline.database.adoption.manifest import list_backups
from anime_pipeline.definitions import defs
from anime_pipeline.defs.maintenance.backups import back_up_database, restore_test_database
from anime_pipeline.defs.maintenance.migration import migrate_database
from anime_pipeline.defs.studio import Studio as StudioResource
from anime_pipeline_tests.database.adoption.conftest import Studio

STEPS = ["verify_environment", "back_up", "rehearse", "migrate", "verify"]


@pytest.fixture
def major() -> str:
    """One server is enough here."""
    return "18"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run(job: dg.JobDefinition, of: Studio, on: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return job.execute_in_process(
        instance=on, raise_on_error=False, resources={"studio": StudioResource(of.settings)}
    )


def metadata(result: dg.ExecuteInProcessResult, step: str) -> dict[str, dg.MetadataValue]:
    found: dict[str, dg.MetadataValue] = {}
    for event in result.events_for_node(step):
        if event.is_successful_output:
            found.update(event.step_output_data.metadata)
    return found


def test_each_step_tells_what_it_found(studio: Studio, instance: dg.DagsterInstance) -> None:
    result = run(migrate_database, studio, instance)
    assert result.success
    assert metadata(result, "verify_environment")["fit"].value is True
    (backup,) = list_backups(studio.settings)
    assert metadata(result, "back_up")["backup"].value == str(backup.folder)
    assert "0002_v2" in str(metadata(result, "rehearse")["applied"].value)
    assert backup.name in str(metadata(result, "migrate")["to go back"].value)
    assert metadata(result, "verify")["tables in public"].value == 25
    assert not migrations.awaits_adoption(studio.settings)

    again = run(migrate_database, studio, instance)
    assert again.success
    assert "nothing" in str(metadata(again, "back_up")["done"].value)
    assert len(list_backups(studio.settings)) == 1


def test_what_stands_in_the_way_stops_the_first_step(
    studio: Studio,
    instance: dg.DagsterInstance,
) -> None:
    studio.execute("CREATE TABLE jobs (id UUID PRIMARY KEY)")
    result = run(migrate_database, studio, instance)
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_key == "verify_environment"
    failure = failed.step_failure_data.user_failure_data
    assert failure is not None
    assert "UUID draft" in (failure.description or "")
    assert "findings" in failure.metadata
    assert list_backups(studio.settings) == []


def test_nights_and_weeks(studio: Studio, instance: dg.DagsterInstance) -> None:
    assert run(back_up_database, studio, instance).success
    assert [backup.manifest.purpose for backup in list_backups(studio.settings)] == ["nightly"]
    assert run(restore_test_database, studio, instance).success
    list_backups(studio.settings)[0].dump.write_bytes(b"")
    assert not run(restore_test_database, studio, instance).success


def test_the_schedules_are_defined() -> None:
    schedules = {
        one.name: one.cron_schedule for one in defs.schedules or () if isinstance(one, dg.ScheduleDefinition)
    }
    backups = {name: cron for name, cron in schedules.items() if name != "daily_report_schedule"}
    assert backups == {"nightly_backup": "0 3 * * *", "weekly_restore_test": "0 5 * * 0"}
    for name in ("migrate_database", "back_up_database", "restore_test_database"):
        assert defs.resolve_job_def(name).name == name
    assert [node.name for node in migrate_database.graph.nodes_in_topological_order] == STEPS
