"""Takes over the API: asked for, rendered by a real server, measured, rendered again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from anime_pipeline.quality.requests import measure_requested
from anime_pipeline.rendering.reproduction import serve_second_takes
from anime_pipeline.rendering.worker import drain
from anime_pipeline_tests.rendering.studio import Studio
from anime_pipeline_tests.web.clients import client_of

SEED = 2**64 - 1


def project(studio: Studio) -> int:
    return int(studio.query("SELECT project_id FROM studio.project_profiles")[0].project_id)


def generate(api: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = api.post("/api/anime/generate", json=body)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def read(api: httpx.Client, path: str) -> dict[str, Any]:
    answer = api.get(f"/api/anime{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_take_is_asked_for_rendered_measured_and_rendered_again(tiny: Studio, api: httpx.Client) -> None:
    mika = tiny.query("SELECT id FROM characters WHERE name = 'Mika'")[0].id
    job = generate(
        api, prompt="a lantern", character_id=mika, job_type="animation_loop", frames=4, fps=12, width=96,
        height=64, seed=SEED,
    )  # fmt: skip
    assert (job["status"], job["id"], job["progress"]) == ("queued", job["job_id"], 0.0)
    drain(tiny.settings, [job["id"]])
    measure_requested(tiny.settings)
    done = read(api, f"/jobs/{job['id']}")
    assert (done["status"], done["progress"], done["server_kind"]) == ("completed", 1.0, "preview")
    params = read(api, f"/jobs/{job['id']}/params")
    assert (params["seed"], params["seed_text"]) == (SEED, str(SEED))
    assert (params["frame_count"], params["fps"], params["width"], params["height"]) == (4, 12, 96, 64)
    assert len(read(api, f"/jobs/{job['id']}/attempts")["items"]) == 1

    second = api.post(f"/api/anime/jobs/{job['id']}/reproduce", json={}).json()
    assert (second["reproduces_job_id"], second["reproduction"]) == (job["id"], None)
    serve_second_takes(tiny.settings)
    assert read(api, f"/jobs/{second['id']}")["reproduction"]["verdict"] == "identical"
    assert read(api, f"/jobs/{second['id']}/params")["seed"] == SEED

    changed = api.post(f"/api/anime/jobs/{job['id']}/reproduce", json={"modifications": {"seed": 3}}).json()
    serve_second_takes(tiny.settings)
    verdict = read(api, f"/jobs/{changed['id']}")["reproduction"]
    assert verdict["verdict"] == "different"
    assert [(fact["before"], fact["after"]) for fact in verdict["environment"]] == [(SEED, 3)]
    assert verdict["difference_url"].startswith("/api/anime/media/")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"prompt": "x", "project_id": 1, "promt": "y"}, "#/promt"),
        ({"prompt": "x", "project_id": 1, "frames": 3}, "#/frames"),
        ({"prompt": "x", "project_id": 1, "job_type": "gif"}, "#/job_type"),
        ({"prompt": "x", "project_id": 1, "seed": 2**64}, "#/seed"),
        ({"prompt": "x", "project_id": 1, "seed": -1}, "#/seed"),
        ({"prompt": "x", "project_id": 1, "width": 33}, "#/width"),
        ({"prompt": "x"}, "#/project_id"),
        ({"prompt": "x", "character_id": 999}, "#/character_id"),
        ({"prompt": "x", "project_id": 1, "variation": "yukata"}, "#/variation"),
        ({"project_id": 1}, "#"),
        ({"cut_id": 1, "frames": 12}, "#"),
        ({"cut_id": 999}, "#/cut_id"),
    ],
)
def test_a_mistake_names_its_field_and_queues_nothing(
    shared_tiny: Studio, shared_api: httpx.Client, body: dict[str, Any], field: str
) -> None:
    if "project_id" in body:
        body["project_id"] = project(shared_tiny)
    answer = shared_api.post("/api/anime/generate", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [field]
    assert shared_tiny.query("SELECT 1 FROM jobs") == []


def test_a_request_that_is_sent_twice_queues_one_take(tiny: Studio, api: httpx.Client) -> None:
    body = {"prompt": "a lantern", "project_id": project(tiny)}
    answers = [
        api.post("/api/anime/generate", json=body, headers={"Idempotency-Key": "once"}).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert len(tiny.query("SELECT 1 FROM jobs")) == 1


def test_a_cut_is_rendered_as_the_story_says(tiny: Studio, api: httpx.Client) -> None:
    [cut] = tiny.query("SELECT cut_id FROM studio.cut_profiles WHERE cut_key = 'tiny.e01.s001.c0010'")
    job = generate(api, cut_id=cut.cut_id, priority=4)
    assert (job["cut_key"], job["priority"], job["take_number"]) == ("tiny.e01.s001.c0010", 4, 1)
    assert generate(api, cut_id=cut.cut_id)["id"] == job["id"]


def test_jobs_are_listed_by_filters_and_pages(tiny: Studio, api: httpx.Client) -> None:
    made = [generate(api, prompt=f"{n}", project_id=project(tiny))["id"] for n in range(3)]
    api.post(f"/api/anime/jobs/{made[1]}/cancel").raise_for_status()
    waiting = read(api, "/jobs?status=queued&order=-id&limit=1")
    assert (waiting["total"], [job["id"] for job in waiting["items"]]) == (2, [made[2]])
    rest = read(api, f"/jobs?status=queued&order=-id&limit=1&cursor={waiting['next']}")
    assert ([job["id"] for job in rest["items"]], rest["next"]) == ([made[0]], None)
    assert read(api, "/jobs?job_type=full_video")["items"] == []
    assert api.get("/api/anime/jobs?state=queued").status_code == 422


def test_a_cancelled_job_is_tried_again_and_others_are_not(tiny: Studio, api: httpx.Client) -> None:
    job = generate(api, prompt="a lantern", project_id=project(tiny))
    path = f"/api/anime/jobs/{job['id']}"
    assert api.post(f"{path}/retry").status_code == 409
    assert api.post(f"{path}/cancel").json()["status"] == "cancelled"
    assert api.post(f"{path}/cancel").status_code == 409
    again = api.post(f"{path}/retry")
    assert (again.status_code, again.json()["status"]) == (202, "queued")
    assert api.post("/api/anime/jobs/999/retry").status_code == 404
    audited = tiny.query(
        "SELECT action, before ->> 'status' AS before, after ->> 'status' AS after "
        "FROM studio.audit_log ORDER BY id"
    )
    assert [tuple(row) for row in audited] == [
        ("create", None, "queued"), ("cancel", "queued", "cancelled"), ("retry", "cancelled", "queued")
    ]  # fmt: skip


def test_only_finished_takes_are_reproduced(tiny: Studio, api: httpx.Client) -> None:
    job = generate(api, prompt="a lantern", project_id=project(tiny))
    refused = api.post(f"/api/anime/jobs/{job['id']}/reproduce", json={})
    assert (refused.status_code, "not finished" in refused.json()["detail"]) == (409, True)
    misspelt = api.post(f"/api/anime/jobs/{job['id']}/reproduce", json={"modifications": {"sead": 1}})
    assert misspelt.json()["errors"][0]["pointer"] == "#/modifications/sead"


def test_a_callback_goes_to_allowed_hosts_only(tiny: Studio, api: httpx.Client) -> None:
    body = {"prompt": "a lantern", "project_id": project(tiny), "callback_url": "https://evil.example/"}
    answer = api.post("/api/anime/generate", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/callback_url")
    assert tiny.query("SELECT 1 FROM jobs") == []


def test_a_second_callback_of_one_take_is_not_dropped_unsaid(tiny: Studio) -> None:
    allowing = tiny.settings.model_copy(update={"callback_hosts": "one.example,two.example"})
    [cut] = tiny.query("SELECT cut_id FROM studio.cut_profiles WHERE cut_key = 'tiny.e01.s001.c0010'")
    with client_of(allowing) as client:
        for host, status in (("one", 202), ("one", 202), ("two", 409)):
            body = {"cut_id": cut.cut_id, "callback_url": f"https://{host}.example/"}
            answer = client.post("/api/anime/generate", json=body)
            assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["pointer"] == "#/callback_url"


def test_many_at_once_each_get_a_place_of_their_own(tiny: Studio, api: httpx.Client) -> None:
    body = {"prompt": "a lantern", "project_id": project(tiny)}
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: generate(api, **body), range(16)))
    keys = {job["cut_key"] for job in jobs}
    assert len(keys) == 16
    assert keys == {f"tiny.e99.s000.c{number:04d}" for number in range(16)}
