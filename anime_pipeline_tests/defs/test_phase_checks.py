"""Defends the gates in Dagster: scenes, episodes and projects show their verdicts, a shut gate stops the
master in this run and in every other, and an override lets it through and is shown with what was built.
"""

from __future__ import annotations

import json

import dagster as dg
import pytest
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.quality.gates import judge_scope
from anime_pipeline.quality.overrides import override_gate, withdraw_override
from anime_pipeline_tests.defs.conftest import Line
from anime_pipeline_tests.rendering.studio import stills

EPISODE, SCENE = "tiny.e01", "tiny.e01.s001"
ANIMATIC = "phase_0_animatic"


def evaluation(result: dg.ExecuteInProcessResult, check: str) -> dg.AssetCheckEvaluation:
    """The evaluation of a check in a run."""
    (found,) = [
        event.asset_check_evaluation_data
        for event in result.all_events
        if event.event_type_value == "ASSET_CHECK_EVALUATION"
        and event.asset_check_evaluation_data.check_name == check
    ]
    return found


@pytest.fixture
def failing(line: Line) -> Line:
    """A line on which three of ten cuts came out black and failed."""
    line.studio.import_(stills(10))
    line.sync()
    keys = line.studio.keys()
    for key in keys[:3]:
        line.studio.server.misbehave("black_frames", times=None, match=key)
    assert line.run("render_cuts", keys).success
    assert line.run("measure_cuts", keys).success
    return line


def test_every_scope_shows_its_gates(failing: Line) -> None:
    described = failing.run("describe_projects", ["tiny"])
    assert described.success, "a project's gate stops nothing"
    found = evaluation(described, ANIMATIC)
    assert (found.partition, found.passed, found.blocking) == ("tiny", False, False)
    assert found.metadata["cuts_failed"].value == 3
    assert failing.recorded("projects") == {"tiny"}

    scenes = failing.run("describe_scenes", [SCENE])
    assert scenes.success, "a scene's gate stops nothing"
    found = evaluation(scenes, ANIMATIC)
    assert (found.partition, found.passed) == (SCENE, False)
    assert "7 of 10 cuts pass" in str(found.description)
    pictures = str(found.metadata["worst_frames"].value)
    assert pictures.count("data:image/webp;base64,") == 3
    assert len(pictures) < 60_000, "it sits in the event log"
    with session_scope(failing.studio.settings) as session:
        assert judge_scope(session, SCENE, ANIMATIC).verdict == "failed"


def test_a_reel_is_for_looking_at_and_waits_for_no_gate(failing: Line) -> None:
    assert failing.run("assemble_scenes", [SCENE]).success
    assert failing.recorded("scene_reels") == {SCENE}


def test_an_override_lets_the_master_through_and_is_kept_with_it(failing: Line) -> None:
    stopped = failing.run("assemble_episodes", [EPISODE])
    assert not stopped.success
    assert evaluation(stopped, ANIMATIC).blocking
    assert not failing.run("masters_only", [EPISODE]).success, "another run asks the database again"
    assert failing.recorded("episode_masters") == set()

    with session_scope(failing.studio.settings) as session:
        override = override_gate(session, EPISODE, ANIMATIC, "Aki", "black is what the scene wants")
    built = failing.run("assemble_episodes", [EPISODE])
    assert built.success
    found = evaluation(built, ANIMATIC)
    assert (found.passed, found.blocking) == (False, False), "an override passes nothing"
    assert "overridden by Aki: black is what the scene wants" in str(found.description)
    assert found.metadata["verdict"].value == "overridden"
    assert failing.recorded("episode_masters") == {EPISODE}
    deliveries = failing.studio.query("SELECT kind, overrides FROM studio.deliveries ORDER BY kind")
    assert {row.kind: [one["id"] for one in row.overrides] for row in deliveries} == {
        "contact_sheet": [override.id],
        "master": [override.id],
        "subtitles": [],
    }

    with session_scope(failing.studio.settings) as session:
        withdraw_override(session, override.id, "Mo", "it is not")
    assert not failing.run("masters_only", [EPISODE]).success
    assert not failing.run("assemble_episodes", [EPISODE]).success


def test_a_passed_gate_shuts_again_in_a_later_run(line: Line) -> None:
    line.studio.import_(stills(5))
    line.sync()
    keys = line.studio.keys()
    assert line.run("render_cuts", keys).success
    assert line.run("measure_cuts", keys).success
    assert line.run("assemble_episodes", [EPISODE]).success
    with session_scope(line.studio.settings) as session:
        session.execute(
            text("UPDATE quality_gates SET threshold_value = 2 WHERE gate_name LIKE 'media_contract%'")
        )
    refused = line.run("masters_only", [EPISODE])
    assert not refused.success
    (failure,) = [event for event in refused.all_events if event.is_step_failure]
    assert "is failed in phase_0_animatic" in json.dumps(failure.step_failure_data.error_display_string)
