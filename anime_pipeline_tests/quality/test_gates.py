"""Defends the stored gates: the right take is judged, an animatic never stands for a render, verdicts are
frozen and known to be stale, a new threshold judges again without measuring, and size costs no queries.
"""

from __future__ import annotations

import pytest
from sqlalchemy import delete, event, text
from sqlalchemy.exc import DBAPIError

from anime_pipeline.database.models import (
    CutProfile,
    GateThreshold,
    GateVerdict,
    Job,
    Measurement,
    Project,
    QualityGate,
    Take,
)
from anime_pipeline.database.session import engine_for
from anime_pipeline.quality.errors import GateNotPassedError, QualityError, UnknownScopeError
from anime_pipeline.quality.gates import (
    explain,
    judge_cut,
    judge_cuts,
    judge_jobs,
    judge_scope,
    latest_verdict,
    latest_verdicts,
    require_gate,
)
from anime_pipeline.quality.scores import judge_takes, require_binding_gates, require_same_gates
from anime_pipeline_tests.quality.studio import EPISODE, SLUG, Studio

ANIMATIC = "phase_0_animatic"
VIDEO = "phase_3_video"


def episode(studio: Studio, cuts: int = 5, **values: float | None) -> dict[str, int]:
    """An episode of measured animatics; job ids by cut key."""
    jobs = {}
    for number in range(10, 10 * cuts + 10, 10):
        key = studio.cut(number)
        jobs[key] = studio.take(key)
        studio.measured(jobs[key], **values)
    return jobs


def rows(studio: Studio) -> int:
    """How many verdicts are stored."""
    return studio.session.query(GateVerdict).count()


def set_threshold(studio: Studio, gate_name: str, value: float) -> None:
    """Edit a threshold for all projects."""
    studio.session.query(QualityGate).filter_by(gate_name=gate_name).one().threshold_value = value
    studio.session.commit()


@pytest.mark.parametrize("scope", [SLUG, EPISODE, f"{EPISODE}.s001"])
def test_a_scope_of_good_takes_passes(studio: Studio, scope: str) -> None:
    episode(studio)
    verdict = judge_scope(studio.session, scope, ANIMATIC)
    assert (verdict.verdict, verdict.cuts_total, verdict.cuts_passed) == ("passed", 5, 5)
    assert verdict.wilson_low == pytest.approx(0.5655, abs=1e-4)
    assert verdict.thresholds["metrics"]["motion_smoothness"]["threshold"] == 0.95
    assert verdict.thresholds["minimum_cuts"] == 5
    assert require_gate(studio.session, scope, ANIMATIC).id == verdict.id


def test_a_cut_is_judged_by_itself_and_names_its_take(studio: Studio) -> None:
    jobs = episode(studio, cuts=1, motion_smoothness=0.5)
    ((key, job),) = jobs.items()
    verdict = judge_cut(studio.session, key, ANIMATIC)
    assert (verdict.scope, verdict.verdict, verdict.job_id) == ("cut", "failed", job)
    (failing,) = verdict.failing
    assert (failing["metric"], failing["value"], failing["threshold"], failing["worst_frame"]) == (
        "motion_smoothness", 0.5, 0.95, 7,
    )  # fmt: skip
    assert judge_scope(studio.session, key, ANIMATIC).id == verdict.id


def test_the_selected_take_stands_for_its_cut_else_the_newest_finished_one(studio: Studio) -> None:
    key = studio.cut(10)
    first, second = studio.take(key), studio.take(key)
    studio.take(key, status="failed")
    studio.take(key, status="processing")
    assert judge_cut(studio.session, key, ANIMATIC).job_id == second
    studio.session.get_one(Take, first).selected = True
    studio.session.commit()
    assert judge_cut(studio.session, key, ANIMATIC).job_id == first
    assert judge_cut(studio.session, key, ANIMATIC, job_id=second).job_id == second


@pytest.mark.parametrize(("kind", "phase"), [("video", ANIMATIC), ("loop", VIDEO)])
def test_a_cut_is_judged_by_the_phase_of_its_take_alone(studio: Studio, kind: str, phase: str) -> None:
    key = studio.cut(10, kind)
    job = studio.take(key, server_kind="comfyui")
    studio.measured(job)
    kept = judge_takes(studio.session, [job])[job]
    with pytest.raises(UnknownScopeError, match=f"answers to {kept.phase}, not to {phase}"):
        judge_scope(studio.session, key, phase)
    assert rows(studio) == 1, "lists and selection go by a take's newest verdict"


def test_omitted_cuts_are_not_judged(studio: Studio) -> None:
    jobs = episode(studio, cuts=6)
    profile = studio.profile(next(iter(jobs)))
    profile.omitted_at = profile.updated_at
    studio.session.commit()
    assert judge_scope(studio.session, EPISODE, ANIMATIC).cuts_total == 5


def test_a_cut_that_was_omitted_is_judged_by_itself_and_holds_up_no_other(studio: Studio) -> None:
    jobs = episode(studio, cuts=2)
    profile = studio.profile(next(iter(jobs)))
    profile.omitted_at = profile.updated_at
    studio.session.commit()
    assert [one.verdict for one in judge_takes(studio.session, jobs.values()).values()] == ["passed"] * 2


def test_a_second_rendering_and_a_cut_without_takes_have_no_verdict(studio: Studio) -> None:
    key, empty = studio.cut(10), studio.cut(20)
    first, again = studio.take(key, status="failed"), studio.take(key, server_kind="comfyui")
    studio.session.get_one(Take, again).reproduces_job_id = first
    studio.session.commit()
    assert judge_takes(studio.session, [first, again]) == {}
    with pytest.raises(UnknownScopeError, match="no finished take"):
        judge_cut(studio.session, empty, ANIMATIC)


def test_a_scope_is_no_prefix_of_another(studio: Studio) -> None:
    episode(studio)
    studio.cut(10, scene=10)
    assert judge_scope(studio.session, f"{EPISODE}.s001", ANIMATIC).cuts_total == 5


@pytest.mark.parametrize("phase", ["phase_1_still", "phase_2_loop", VIDEO])
def test_an_animatic_is_never_judged_as_a_render(studio: Studio, phase: str) -> None:
    kind = phase.rsplit("_", 1)[1]
    for number in range(10, 70, 10):
        key = studio.cut(number, kind)
        studio.measured(studio.take(key, selected=True))
    verdict = judge_scope(studio.session, EPISODE, phase)
    assert (verdict.verdict, verdict.cuts_unmeasured) == ("incomplete", 6)
    assert (
        "6 cuts have only an animatic; set ANIME_COMFYUI_URLS, then: anime-pipeline render lantern-post.e01"
        in verdict.reason
    )


def test_a_render_is_judged_though_an_animatic_is_selected(studio: Studio) -> None:
    key = studio.cut(10)
    studio.take(key, selected=True)
    render = studio.take(key, server_kind="comfyui")
    assert judge_cut(studio.session, key, VIDEO).job_id == render


def test_a_phase_without_cuts_of_its_kind_is_incomplete(studio: Studio) -> None:
    episode(studio)
    verdict = judge_scope(studio.session, EPISODE, "phase_2_loop")
    assert (verdict.verdict, verdict.cuts_total, verdict.reason) == (
        "incomplete",
        0,
        "no loop cuts in this scope",
    )


def test_unmeasured_and_unmeasurable_takes_keep_the_gate_shut(studio: Studio) -> None:
    jobs = list(episode(studio, cuts=6).values())
    studio.measured(jobs[0], {"motion_smoothness": None})
    studio.take(studio.cut(100))
    verdict = judge_scope(studio.session, EPISODE, ANIMATIC)
    assert (verdict.verdict, verdict.cuts_passed, verdict.cuts_unmeasured) == ("incomplete", 5, 2)
    reasons = {(entry["metric"], entry["reason"]) for entry in verdict.missing}
    assert ("motion_smoothness", "not_measurable: too short") in reasons
    assert ("media_contract", "not measured yet") in reasons
    with pytest.raises(GateNotPassedError, match="incomplete"):
        require_gate(studio.session, EPISODE, ANIMATIC)


def test_a_gate_mixes_no_backends(studio: Studio) -> None:
    jobs = episode(studio)
    key, job = next(iter(jobs.items()))
    smoothness = studio.session.query(Measurement).filter_by(metric_name="motion_smoothness")
    smoothness.filter_by(job_id=job).update({"backend": "amt-s"})
    studio.session.commit()
    verdict = judge_scope(studio.session, EPISODE, ANIMATIC)
    assert (verdict.verdict, verdict.cuts_passed, verdict.cuts_unmeasured) == ("incomplete", 4, 1)
    assert verdict.missing == [
        {
            "metric": "motion_smoothness",
            "reason": "not comparable: measured by amt-s, most here by test",
            "remedy": f"anime-pipeline measure {EPISODE}",
            "cut_keys": (key,),
        }
    ]
    assert judge_cut(studio.session, key, ANIMATIC).passed, "a cut by itself mixes nothing"
    smoothness.update({"backend": "amt-s"})
    studio.session.commit()
    assert judge_scope(studio.session, EPISODE, ANIMATIC).passed


def test_the_same_evidence_gives_the_same_verdict_and_no_new_row(studio: Studio) -> None:
    episode(studio)
    first = judge_scope(studio.session, EPISODE, ANIMATIC)
    assert judge_scope(studio.session, EPISODE, ANIMATIC) == first
    assert rows(studio) == 1


def test_a_new_measurement_makes_a_verdict_stale_and_leaves_it_as_it_was(studio: Studio) -> None:
    jobs = episode(studio)
    passed = judge_scope(studio.session, EPISODE, ANIMATIC)
    for job in list(jobs.values())[:2]:
        studio.measured(job, {"motion_smoothness": 0.5})
    latest = latest_verdict(studio.session, EPISODE, ANIMATIC)
    assert latest is not None
    assert (latest.id, latest.verdict, latest.stale, latest.passed) == (passed.id, "passed", True, False)
    changed = [str(change) for change in latest.changes]
    assert changed == [
        f"{key}: take 1 was measured again, or what is asked of it is another" for key in list(jobs)[:2]
    ]
    with pytest.raises(GateNotPassedError, match="is failed"):
        require_gate(studio.session, EPISODE, ANIMATIC)
    again = judge_scope(studio.session, EPISODE, ANIMATIC)
    assert (again.verdict, again.stale, rows(studio)) == ("failed", False, 2)
    assert studio.session.get_one(GateVerdict, passed.id).verdict == "passed"


def test_a_re_render_makes_a_verdict_stale(studio: Studio) -> None:
    key = next(iter(episode(studio)))
    judge_scope(studio.session, EPISODE, ANIMATIC)
    studio.take(key)
    omitted = studio.profile(f"{EPISODE}.s001.c0020")
    omitted.omitted_at = omitted.updated_at
    studio.cut(99)
    latest = latest_verdict(studio.session, EPISODE, ANIMATIC)
    assert latest is not None
    assert latest.stale
    assert [str(change).removeprefix(f"{EPISODE}.s001.") for change in latest.changes] == [
        "c0010: take 1 → take 2",
        "c0020: no longer in the story",
        "c0099: new in the story",
    ]


def test_an_edited_threshold_judges_again_without_measuring(studio: Studio) -> None:
    episode(studio, motion_smoothness=0.96)
    assert judge_scope(studio.session, EPISODE, ANIMATIC).verdict == "passed"
    set_threshold(studio, "motion_smoothness_minimum", 0.97)
    latest = latest_verdict(studio.session, EPISODE, ANIMATIC)
    assert latest is not None
    assert latest.stale
    assert [str(change) for change in latest.changes] == ["motion_smoothness 0.95 → 0.97"]
    assert judge_scope(studio.session, EPISODE, ANIMATIC).verdict == "failed"


def test_a_project_may_have_thresholds_of_its_own(studio: Studio) -> None:
    episode(studio, motion_smoothness=0.90)
    assert judge_scope(studio.session, EPISODE, ANIMATIC).verdict == "failed"
    own = ("motion_smoothness_minimum", 0.85), ("phase_cuts_minimum", 3)
    for gate_name, value in own:
        studio.add(GateThreshold(project_id=studio.project.id, gate_name=gate_name, threshold_value=value))
    verdict = judge_scope(studio.session, EPISODE, ANIMATIC)
    assert (verdict.verdict, verdict.thresholds["minimum_cuts"]) == ("passed", 3)


def test_a_gate_that_is_switched_off_decides_nothing(studio: Studio) -> None:
    episode(studio, motion_smoothness=0.1)
    gate = studio.session.query(QualityGate).filter_by(gate_name="motion_smoothness_minimum").one()
    gate.is_active = False
    studio.session.commit()
    assert judge_scope(studio.session, EPISODE, ANIMATIC).verdict == "passed"


def test_without_the_rows_that_decide_nothing_is_judged(studio: Studio) -> None:
    episode(studio)
    studio.session.query(QualityGate).filter_by(gate_name="phase_pass_rate_minimum").delete()
    with pytest.raises(QualityError, match="phase_pass_rate_minimum"):
        judge_scope(studio.session, EPISODE, ANIMATIC)


def test_whoever_builds_judges_what_is_there_now(studio: Studio) -> None:
    jobs = episode(studio)
    assert require_gate(studio.session, EPISODE, ANIMATIC).passed
    studio.measured(next(iter(jobs.values())), {"motion_smoothness": None})
    with pytest.raises(GateNotPassedError, match="too short") as refused:
        require_gate(studio.session, EPISODE, ANIMATIC)
    assert refused.value.remedy
    key = studio.cut(99)
    with pytest.raises(GateNotPassedError) as refused:
        require_gate(studio.session, f"{EPISODE}.s001", ANIMATIC)
    assert refused.value.remedy == f"anime-pipeline render {key.rpartition('.')[0]}"


def test_what_changed_while_something_was_built_is_noticed(studio: Studio) -> None:
    jobs = episode(studio)
    verdicts = require_binding_gates(studio.session, EPISODE)
    require_same_gates(studio.session, verdicts)
    studio.measured(studio.take(next(iter(jobs))))
    assert require_gate(studio.session, EPISODE, ANIMATIC).passed
    with pytest.raises(GateNotPassedError, match="changed while this was built"):
        require_same_gates(studio.session, verdicts)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE studio.gate_verdicts SET verdict = 'passed'",
        "UPDATE studio.gate_verdicts SET reason = 'as it was'",
        "DELETE FROM studio.gate_verdicts",
    ],
)
def test_nobody_changes_a_verdict(studio: Studio, change: str) -> None:
    episode(studio, motion_smoothness=0.1)
    judge_scope(studio.session, EPISODE, ANIMATIC)
    studio.session.commit()
    with pytest.raises(DBAPIError, match="never changed"):
        studio.session.execute(text(change))


def test_verdicts_go_with_their_project(studio: Studio) -> None:
    jobs = episode(studio)
    judge_scope(studio.session, EPISODE, ANIMATIC)
    judge_cuts(studio.session, list(jobs), ANIMATIC)
    studio.session.commit()
    studio.session.execute(delete(Job).where(Job.id == next(iter(jobs.values()))))
    assert rows(studio) == 5
    studio.session.execute(delete(Project).where(Project.id == studio.project.id))
    assert rows(studio) == 0


def test_takes_are_judged_together_without_a_verdict_being_kept(studio: Studio) -> None:
    jobs = list(episode(studio, cuts=3).values())
    key = studio.cut(100)
    twice = [studio.take(key), studio.take(key)]
    for job in twice:
        studio.measured(job, motion_smoothness=0.5)
    judgement = judge_jobs(studio.session, ANIMATIC, [*jobs, *twice])
    assert (judgement.verdict, judgement.pass_rate, len(judgement.cuts)) == ("failed", 0.6, 5)
    assert {failing.job_id for failing in judgement.failing} == set(twice)
    assert len(judgement.judged_cuts) == 5
    assert judge_jobs(studio.session, ANIMATIC, jobs).verdict == "incomplete", "three takes say nothing"
    assert judge_jobs(studio.session, VIDEO, jobs).missing[0].reason == "only an animatic"
    assert rows(studio) == 0


def test_only_finished_takes_of_the_phases_kinds_are_judged_together(studio: Studio) -> None:
    video, still = studio.cut(10), studio.cut(20, "still")
    waiting, picture = studio.take(video, status="queued"), studio.take(still, server_kind="comfyui")
    for job_ids, said in [
        ([], "no takes"),
        ([10**6], "is a take"),
        ([waiting], str(waiting)),
        ([picture], still),
    ]:
        with pytest.raises(UnknownScopeError, match=said):
            judge_jobs(studio.session, VIDEO, job_ids)


def test_names_that_name_nothing_are_said(studio: Studio) -> None:
    episode(studio)
    with pytest.raises(UnknownScopeError, match="no project"):
        judge_scope(studio.session, "other.e01", ANIMATIC)
    with pytest.raises(UnknownScopeError, match="is no phase"):
        judge_scope(studio.session, EPISODE, "phase_9")
    with pytest.raises(UnknownScopeError, match="no cut is called"):
        judge_cut(studio.session, f"{EPISODE}.s001.c9999", ANIMATIC)
    for scope, said in [
        (f"{SLUG}.e09", "episode"),
        (f"{EPISODE}.s099", "scene"),
        (f"{EPISODE}.s001.c9999", "cut"),
    ]:
        for asked in (explain, judge_scope):
            with pytest.raises(UnknownScopeError, match=f"no {said} is called {scope}"):
                asked(studio.session, scope, ANIMATIC)


def test_explaining_shows_each_cut_and_keeps_nothing(studio: Studio) -> None:
    episode(studio)
    explanation = explain(studio.session, EPISODE, ANIMATIC)
    assert explanation.judgement.verdict == "passed"
    assert [cut.outcome for cut in explanation.judgement.cuts] == ["passed"] * 5
    assert explanation.latest is None
    assert rows(studio) == 0


def test_cut_verdicts_of_a_scope_are_found_together(studio: Studio) -> None:
    keys = list(episode(studio))
    judge_cuts(studio.session, keys[:3], ANIMATIC)
    found = latest_verdicts(studio.session, keys, ANIMATIC)
    assert list(found) == keys[:3]
    assert not any(verdict.stale for verdict in found.values())


def test_stored_verdicts_of_scenes_are_told_stale_together(studio: Studio) -> None:
    episode(studio)
    key = studio.cut(10, scene=2)
    studio.measured(studio.take(key))
    scenes = [f"{EPISODE}.s001", f"{EPISODE}.s002"]
    for scene in scenes:
        judge_scope(studio.session, scene, ANIMATIC)

    def stale() -> dict[str, bool]:
        found = latest_verdicts(studio.session, [*scenes, f"{EPISODE}.s003"], ANIMATIC)
        assert found == {scene: latest_verdict(studio.session, scene, ANIMATIC) for scene in scenes}
        return {scene: verdict.stale for scene, verdict in found.items()}

    assert stale() == dict.fromkeys(scenes, False)
    studio.measured(studio.take(key), motion_smoothness=0.5)
    assert stale() == {scenes[0]: False, scenes[1]: True}
    # The one take of the second scene is measured as most of it are, though most of both are not.
    studio.session.query(Measurement).filter(
        Measurement.job_id == judge_cut(studio.session, key, ANIMATIC).job_id
    ).update({"backend": "amt-s"})
    studio.session.commit()
    judge_scope(studio.session, scenes[1], ANIMATIC)
    assert stale() == dict.fromkeys(scenes, False)
    set_threshold(studio, "motion_smoothness_minimum", 0.2)
    assert stale() == dict.fromkeys(scenes, True)


def test_judging_takes_the_same_queries_for_five_cuts_as_for_twenty(studio: Studio) -> None:
    episode(studio)
    few = _queries(studio)
    for number in range(500, 650, 10):
        key = studio.cut(number, scene=2)
        studio.measured(studio.take(key))
    assert studio.session.query(CutProfile).count() == 20
    assert _queries(studio) == few


def _queries(studio: Studio) -> int:
    engine, seen = engine_for(studio.settings), []

    def count(*arguments: object) -> None:
        seen.append(arguments[2])

    event.listen(engine, "before_cursor_execute", count)
    judge_scope(studio.session, EPISODE, ANIMATIC)
    event.remove(engine, "before_cursor_execute", count)
    studio.session.rollback()
    return len(seen)
