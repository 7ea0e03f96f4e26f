"""Quality, gates, choices and retakes over the API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from anime_pipeline.database.session import session_scope
from anime_pipeline.quality.measuring import measure_takes
from anime_pipeline.quality.recording import record_scores
from anime_pipeline.quality.requests import measure_requested
from anime_pipeline.rendering.worker import drain
from anime_pipeline_tests.rendering.studio import Studio, stills


def sent(api: httpx.Client, method: str, path: str, status: int, **body: Any) -> Any:
    answer = api.request(method, f"/api/anime{path}", **({"json": body} if method == "POST" else {}))
    assert answer.status_code == status, answer.text
    return answer.json()


def rendered(tiny: Studio, cuts: int = 5) -> list[int]:
    """Job ids of that many stills' takes, rendered."""
    tiny.import_(stills(cuts))
    tiny.render()
    return [row.job_id for row in tiny.query("SELECT job_id FROM studio.takes ORDER BY job_id")]


def as_if_by_comfyui(tiny: Studio) -> None:
    """Phases 1 to 3 judge ComfyUI's renders alone."""
    tiny.query_none("UPDATE studio.takes SET server_kind = 'comfyui'")


def score(tiny: Studio, job_id: int, **values: float) -> None:
    """Measured values as the engines would have left them."""
    from anime_pipeline.quality.engines.protocol import Provenance, Score
    from anime_pipeline.quality.phases import load_phases

    [project] = tiny.query("SELECT project_id FROM studio.project_profiles")
    with session_scope(tiny.settings) as session:
        phase = load_phases(session, [project.project_id])[project.project_id]["phase_1_still"]
        scores = {
            name: Score(name, "measured", Provenance("x", "1"), value) for name, value in values.items()
        }
        record_scores(session, job_id, scores, phase)


PASSING = {
    "aesthetic": 6.0,
    "style_adherence": 0.95,
    "face_similarity": 0.9,
    "reproducible": 1.0,
    "generation_seconds": 9.0,
    "media_contract": 1.0,
}


def test_a_job_is_measured_on_demand_and_says_what_it_lacks(tiny: Studio, api: httpx.Client) -> None:
    job_id = rendered(tiny, 1)[0]
    before = sent(api, "GET", f"/quality/{job_id}", 200)
    assert (before["scores"], before["verdict"], before["passed"]) == ([], "incomplete", False)
    asked = sent(api, "POST", "/quality/evaluate", 202, job_ids=[job_id])["items"][0]
    assert asked["measuring"] is True
    measure_requested(tiny.settings)
    after = sent(api, "GET", f"/jobs/{job_id}/quality", 200)
    assert (after["measuring"], after["phase"]) == (False, "phase_0_animatic")
    contract = next(one for one in after["scores"] if one["metric_name"] == "media_contract")
    assert (contract["state"], contract["score_value"], contract["passed"]) == ("measured", 1.0, True)
    assert sent(api, "GET", f"/quality/{job_id}", 200) == after
    [kept] = tiny.query(f"SELECT verdict FROM studio.gate_verdicts WHERE job_id = {job_id}")
    assert kept.verdict == after["verdict"], "lists of takes show what is kept"


def test_what_cannot_be_measured_has_its_reason(tiny: Studio, api: httpx.Client) -> None:
    job_id = rendered(tiny, 1)[0]
    with session_scope(tiny.settings) as session:
        measure_takes(session, tiny.settings, [job_id])
    scores = sent(api, "GET", f"/quality/{job_id}", 200)["scores"]
    missing = [one for one in scores if one["state"] == "unavailable"]
    assert missing
    assert all(one["score_value"] is None and one["reason"] and not one["passed"] for one in missing)


def test_the_quality_of_an_unscripted_take(tiny: Studio, api: httpx.Client) -> None:
    [project] = tiny.query("SELECT project_id FROM studio.project_profiles")
    job = sent(api, "POST", "/generate", 202, prompt="a lantern", project_id=project.project_id)
    waiting = sent(api, "GET", f"/quality/{job['id']}", 200)
    assert (waiting["status"], waiting["verdict"], waiting["measuring"]) == ("queued", None, True)
    drain(tiny.settings, [job["id"]])
    measure_requested(tiny.settings)
    assert sent(api, "GET", f"/quality/{job['id']}", 200)["verdict"] in ("passed", "failed")


def test_a_phase_judges_at_least_five_jobs(tiny: Studio, api: httpx.Client) -> None:
    jobs = rendered(tiny)
    as_if_by_comfyui(tiny)
    path = "/quality/phase-gate/phase_1_still"
    assert sent(api, "POST", path, 200, job_ids=jobs)["verdict"] == "incomplete"
    for job_id in jobs:
        score(tiny, job_id, **PASSING)
    passed = sent(api, "POST", path, 200, job_ids=jobs)
    assert (passed["verdict"], passed["cuts_passed"], passed["pass_rate"]) == ("passed", 5, 1.0)
    assert 0.5 < passed["wilson_low"] < 1.0
    for job_id in jobs[:2]:
        score(tiny, job_id, aesthetic=1.0)
    failed = sent(api, "POST", path, 200, job_ids=jobs)
    assert (failed["verdict"], failed["pass_rate"]) == ("failed", 0.6)
    assert [one["job_id"] for one in failed["failing"]] == jobs[:2]
    assert tiny.query("SELECT 1 FROM studio.gate_verdicts") == []


def test_a_phase_gate_says_what_is_wrong_with_the_jobs(tiny: Studio, api: httpx.Client) -> None:
    jobs = rendered(tiny)
    path = "/quality/phase-gate/phase_1_still"
    for wanted in (jobs[:4], [*jobs[:4], jobs[0]], [*jobs[:4], 999]):
        refused = sent(api, "POST", path, 422, job_ids=wanted)
        assert refused["errors"][0]["pointer"] == "#/job_ids"
    sent(api, "POST", "/quality/phase-gate/phase_4_dream", 422, job_ids=jobs)
    sent(api, "POST", "/quality/evaluate", 422, job_ids=[999])
    assert sent(api, "GET", "/quality/999", 404)["status"] == 404


def test_a_gate_is_shown_judged_overridden_and_withdrawn(tiny: Studio, api: httpx.Client) -> None:
    rendered(tiny)
    path = "/gates/tiny.e01/phase_1_still"
    shown = sent(api, "GET", path, 200)
    assert (shown["state"], shown["is_open"], shown["last_verdict"]) == ("incomplete", False, None)
    assert sent(api, "POST", f"{path}/judge", 200)["last_verdict"] == "incomplete"
    made = sent(
        api, "POST", f"{path}/override", 201, reason="airs tonight", judged_sha256=shown["judged_sha256"]
    )
    assert (made["overridden_by"], made["verdict"]) == ("this machine", "incomplete")
    opened = sent(api, "GET", path, 200)
    assert (opened["state"], opened["is_open"], opened["override_id"]) == ("overridden", True, made["id"])
    assert sent(api, "GET", "/gate-overrides?scope_key=tiny", 200)["items"][0]["state"] == "holds"
    sent(api, "POST", f"{path}/override", 409, reason="again")
    taken = sent(api, "POST", f"/gate-overrides/{made['id']}/withdraw", 200, reason="it can wait")
    assert taken["withdrawn_reason"] == "it can wait"
    assert sent(api, "GET", path, 200)["is_open"] is False


def test_gates_of_nothing_are_not_there(shared_tiny: Studio, shared_api: httpx.Client) -> None:
    sent(shared_api, "GET", "/gates/nobody.e01/phase_1_still", 404)
    sent(shared_api, "GET", "/gates/TINY/phase_1_still", 422)
    sent(shared_api, "GET", "/gates/tiny/phase_9", 422)
    sent(shared_api, "POST", "/gate-overrides/9/withdraw", 404, reason="x")
    sent(shared_api, "POST", "/gates/tiny/phase_1_still/override", 422, reason="")


def test_a_take_is_chosen_and_released(tiny: Studio, api: httpx.Client) -> None:
    [first] = rendered(tiny, 1)
    [cut] = tiny.query("SELECT cut_id FROM studio.takes WHERE job_id = :id", id=first)
    retake = sent(api, "POST", f"/cuts/{cut.cut_id}/retakes", 202, note="once more")
    assert (retake["retaken_job_id"], retake["answer_status"]) == (first, "queued")
    second = retake["answered_by_job_id"]
    drain(tiny.settings, [second])
    chosen = sent(api, "POST", f"/jobs/{first}/choose", 200, note="her eyes")
    assert [(one["take"]["id"], one["take"]["selected"]) for one in chosen["items"]] == [
        (first, True), (second, False),
    ]  # fmt: skip
    assert chosen["items"][0]["choice"]["note"] == "her eyes"
    released = sent(api, "POST", f"/cuts/{cut.cut_id}/release", 200)
    assert [one["choice"] for one in released["items"]] == [None, None]
    sent(api, "POST", f"/cuts/{cut.cut_id}/release", 409)
    sent(api, "POST", "/jobs/999/choose", 404)


def test_a_retake_with_changes_holds_until_it_is_withdrawn(tiny: Studio, api: httpx.Client) -> None:
    [first] = rendered(tiny, 1)
    [cut] = tiny.query("SELECT cut_id FROM studio.takes WHERE job_id = :id", id=first)
    made = sent(api, "POST", f"/cuts/{cut.cut_id}/retakes", 202, camera="close-up", seed=2**64 - 1)
    assert made["changes"] == {"camera": "close-up", "seed": 2**64 - 1}
    assert sent(api, "GET", f"/cuts/{cut.cut_id}/retakes", 200)["items"] == [made]
    sent(api, "POST", f"/cuts/{cut.cut_id}/omit", 200)
    assert sent(api, "GET", f"/cuts/{cut.cut_id}/retakes", 200)["items"] == [made]  # as it keeps its takes
    sent(api, "POST", f"/cuts/{cut.cut_id}/restore", 200)
    ended = sent(api, "POST", f"/retakes/{made['id']}/withdraw", 200)
    assert (ended["answer_status"], ended["withdrawn_at"] is not None) == ("cancelled", True)
    refused = sent(api, "POST", f"/cuts/{cut.cut_id}/retakes", 422, variation={"Nobody": "coat"})
    assert refused["errors"][0]["pointer"] == "#/variation"


@pytest.mark.parametrize("path", ["/cuts/999/takes", "/cuts/999/retakes"])
def test_cuts_that_are_not_there(shared_api: httpx.Client, path: str) -> None:
    sent(shared_api, "GET", path, 404)
