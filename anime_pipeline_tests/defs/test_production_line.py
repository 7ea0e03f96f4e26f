"""Defends a cut's way through Dagster: batches, partial failures, checks of cuts, gates before masters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from anime_pipeline.defs.studio import Studio as StudioResource
from anime_pipeline.media.store import MediaStore
from anime_pipeline_tests.defs.conftest import Line
from anime_pipeline_tests.rendering.studio import production, stills

pytestmark = pytest.mark.slow

EPISODE = "tiny.e01"


def evaluations(result: dg.ExecuteInProcessResult, check: str) -> dict[str | None, bool]:
    """Partition → passed of one check in a run."""
    return {
        data.partition: data.passed
        for event in result.all_events
        if event.event_type_value == "ASSET_CHECK_EVALUATION"
        and (data := event.asset_check_evaluation_data).check_name == check
    }


def produce(line: Line, data: dict[str, Any]) -> list[str]:
    """Import a production and bring all its cuts through rendering and measuring."""
    line.studio.import_(data)
    line.sync()
    keys = line.studio.keys()
    assert line.run("render_cuts", keys).success
    assert line.run("measure_cuts", keys).success
    return keys


def test_a_batch_is_rendered_measured_checked_and_assembled(line: Line) -> None:
    line.studio.import_(production())
    line.sync()
    keys = line.studio.keys()

    assert line.run("produce_cuts", keys).success
    assert line.studio.renders == 4
    assert line.recorded("frames") == line.recorded("quality_metrics") == line.recorded("cuts") == set(keys)

    measured = line.run("measure_cuts", keys)
    assert evaluations(measured, "media_contract") == dict.fromkeys(keys, True)
    assert evaluations(measured, "take_gate") == dict.fromkeys(keys, True)
    assert evaluations(measured, "motion_smoothness") == dict.fromkeys(keys[2:], True), "not asked of stills"
    # What wasn't measured must not be shown as passed; an animatic's phase doesn't ask it.
    assert evaluations(measured, "aesthetic") == {}
    assert evaluations(measured, "palette_adherence") == {}, "reported, so nothing that could fail"

    assert line.run("assemble_scenes", [f"{EPISODE}.s001"]).success
    assert line.recorded("scene_reels") == {f"{EPISODE}.s001"}


def current_checks(line: Line, asset: str, check: str) -> set[str | None]:
    """The partitions of which a check has looked at the newest record: those that the UI shows it of."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), check)
    found = line.instance.event_log_storage.get_asset_check_partition_info([key])
    return {one.partition_key for one in found if one.is_current and one.latest_materialization_storage_id}


def test_the_ui_shows_the_checks_of_what_is_recorded_and_none_of_what_was(line: Line) -> None:
    keys = produce(line, stills(5))
    assert current_checks(line, "quality_metrics", "take_gate") == set(keys)
    scattered = {"ops": {"measure_batch_takes": {"config": {"cut_keys": keys[::2]}}}}
    assert line.execute("measure_batch", {}, scattered).success
    assert current_checks(line, "quality_metrics", "take_gate") == set(keys)
    for job, asset, scope in (
        ("describe_projects", "projects", "tiny"),
        ("describe_scenes", "scenes", f"{EPISODE}.s001"),
        ("assemble_episodes", "episodes", EPISODE),
    ):
        assert line.run(job, [scope]).success
        assert current_checks(line, asset, "phase_0_animatic") == {scope}
    line.instance.report_runless_asset_event(
        dg.AssetMaterialization(dg.AssetKey("quality_metrics"), partition=keys[0])
    )
    assert current_checks(line, "quality_metrics", "take_gate") == set(keys[1:])


def test_frames_carry_what_the_ui_shows(line: Line) -> None:
    keys = produce(line, production())
    record = line.instance.get_latest_materialization_event(dg.AssetKey("frames"))
    assert record is not None
    assert record.asset_materialization is not None
    metadata = record.asset_materialization.metadata
    assert {"thumbnail", "take", "recipe", "generation_seconds", "frame_count", "media"} <= set(metadata)
    assert "data:image/webp;base64," in str(metadata["thumbnail"].value)

    scores = line.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey("quality_metrics"), asset_partitions=[keys[-1]]), limit=1
    ).records[0]
    assert scores.asset_materialization is not None
    shown = scores.asset_materialization.metadata
    assert isinstance(shown["motion_smoothness"].value, float)
    assert [*shown][:2] == ["verdict", "selection"], "what was decided is read first"
    assert [*shown][-1] == "per_frame", "a table as long as the film hides what follows"
    assert isinstance(shown["per_frame"], dg.TableMetadataValue)
    assert len(shown["per_frame"].records) == 6
    assert "media_contract" not in shown["per_frame"].records[0].data, "it is 1 in every frame"
    assert "data:image/webp;base64," in str(shown["per_frame_plot"].value)
    least = min(row.data["motion_smoothness"] or 1.0 for row in shown["per_frame"].records)
    assert f": {least:.4f}" in str(shown["worst_frames"].value)
    assert "subject_consistency" in str(shown["not_measured"].value)


def test_a_lost_thumbnail_is_told_and_fails_nothing(line: Line) -> None:
    keys = produce(line, stills(2))
    store = MediaStore.of(line.studio.settings)
    (lost, *_) = line.studio.query(
        "SELECT sha256, suffix FROM studio.take_media JOIN studio.media_files USING (sha256) "
        "WHERE role = 'thumbnail' ORDER BY job_id"
    )
    Path(store.place(lost.sha256, lost.suffix)).unlink()
    assert line.run("render_cuts", keys).success
    shown = line.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey("frames"), asset_partitions=keys[:1]), limit=1
    ).records[0]
    assert shown.asset_materialization is not None
    assert "is not in the media store" in str(shown.asset_materialization.metadata["thumbnail"].value)


def test_a_scene_that_cannot_be_built_costs_the_others_nothing(line: Line) -> None:
    data = stills(4)
    first = data["episodes"][0]["scenes"][0]
    data["episodes"][0]["scenes"].append({**first, "number": 2, "cuts": first["cuts"][2:]})
    first["cuts"] = first["cuts"][:2]
    produce(line, data)
    (film, *_) = line.studio.query(
        "SELECT sha256, suffix FROM studio.take_media JOIN studio.media_files USING (sha256) "
        "WHERE role IN ('film', 'frame') ORDER BY job_id"
    )
    Path(MediaStore.of(line.studio.settings).place(film.sha256, film.suffix)).unlink()

    failed = line.run("assemble_scenes", [f"{EPISODE}.s001", f"{EPISODE}.s002"])

    assert not failed.success
    assert line.recorded("scene_reels") == {f"{EPISODE}.s002"}
    (failure,) = [event for event in failed.all_events if event.is_step_failure]
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert "1 of 2 scenes failed" in str(told.description)
    assert "To mend it: put the file back" in str(told.description)


def data_versions(line: Line) -> dict[str, str]:
    """Cut key → newest data version of the asset `cuts`."""
    versions = {}
    keys = line.studio.keys()
    for key in keys:
        record = line.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey("cuts"), asset_partitions=[key]), limit=1
        ).records[0]
        assert record.asset_materialization is not None
        versions[key] = str((record.asset_materialization.tags or {})["dagster/data_version"])
    return versions


def test_the_data_version_of_a_cut_is_that_of_its_pixels(line: Line) -> None:
    data = production()
    line.studio.import_(data)
    line.sync()
    keys = line.studio.keys()
    assert line.run("describe_cuts", keys).success
    before = data_versions(line)
    assert len(set(before.values())) == len(keys)

    cuts = data["episodes"][0]["scenes"][0]["cuts"]
    cuts[0]["dialogue"] = ["Mika: it never stops"]
    data["characters"][1]["attributes"][0]["value"] = "silver"
    line.studio.import_(data)
    assert line.run("describe_cuts", keys).success
    changed = {key for key, version in data_versions(line).items() if version != before[key]}
    assert changed == {keys[1], keys[3]}, "Toru's cuts; a still's dialogue decides no pixel"


def test_a_second_run_renders_nothing(line: Line) -> None:
    keys = produce(line, production())
    before = line.studio.renders
    assert line.run("render_cuts", keys).success
    assert line.studio.renders == before


def test_one_failing_cut_of_ten_costs_the_nine_nothing(line: Line) -> None:
    line.studio.import_(stills(10))
    line.sync()
    keys = line.studio.keys()
    line.studio.server.misbehave("fail_render", times=None, match=keys[6])

    failed = line.run("render_cuts", keys)

    assert not failed.success
    (failure,) = [e for e in failed.all_events if e.is_step_failure and e.node_name == "collect_takes"]
    user_data = failure.step_failure_data.user_failure_data
    assert user_data is not None
    assert user_data.description is not None
    assert keys[6] in user_data.description
    assert not any(key in user_data.description for key in keys if key != keys[6])
    assert line.recorded("frames") == set(keys) - {keys[6]}

    line.studio.server.behave()
    before = line.studio.renders
    assert line.run("render_cuts", keys).success
    assert line.studio.renders == before + 1
    assert line.recorded("frames") == set(keys)


@pytest.mark.parametrize("fault", ["black_frames", "wrong_frame_count", "frozen_video"])
def test_a_broken_render_fails_its_check_and_is_not_selected(line: Line, fault: str) -> None:
    line.studio.import_(production())
    line.sync()
    *_, broken = keys = line.studio.keys()
    line.studio.server.misbehave(fault, times=None, match=broken)

    assert line.run("render_cuts", keys).success
    measured = line.run("measure_cuts", keys)

    assert evaluations(measured, "media_contract") == {key: key != broken for key in keys}
    assert evaluations(measured, "take_gate") == {key: key != broken for key in keys}
    assert measured.success, "a cut's own check must not turn the batch red"
    with StudioResource(line.studio.settings).session() as session:
        selected = session.execute(text("SELECT count(*) FROM studio.takes WHERE selected")).scalar()
    assert selected == len(keys) - 1


def test_a_failed_gate_stops_the_master_also_in_a_later_run(line: Line) -> None:
    line.studio.import_(stills(10))
    line.sync()
    keys = line.studio.keys()
    for key in keys[:3]:
        line.studio.server.misbehave("black_frames", times=None, match=key)
    assert line.run("render_cuts", keys).success
    assert line.run("measure_cuts", keys).success

    for _ in range(2):
        stopped = line.run("assemble_episodes", [EPISODE])
        assert not stopped.success
        assert evaluations(stopped, "phase_0_animatic") == {EPISODE: False}
        assert line.recorded("episode_masters") == set()

    # Anyone may tell Dagster's webserver that the check has passed; the gate asks the database.
    line.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("episodes"),
            check_name="phase_0_animatic",
            passed=True,
            metadata={},
            partition=EPISODE,
        )
    )
    masters_only = line.run("masters_only", [EPISODE])
    assert not masters_only.success
    assert line.recorded("episode_masters") == set()


def test_a_passed_gate_lets_the_master_through(line: Line) -> None:
    produce(line, stills(5))
    result = line.run("assemble_episodes", [EPISODE])
    assert result.success
    assert evaluations(result, "phase_0_animatic") == {EPISODE: True}
    assert evaluations(result, "phase_1_still") == {EPISODE: False}, "an animatic is no ComfyUI render"
    assert line.recorded("episode_masters") == {EPISODE}
