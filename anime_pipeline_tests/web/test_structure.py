"""Episodes, scenes and cuts over the API: edits equal an import, and takes go with what is ordered anew."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from anime_pipeline.database.session import session_scope
from anime_pipeline.quality.gates import judge_scope
from anime_pipeline.quality.measuring import measure_takes
from anime_pipeline.quality.scores import judge_takes
from anime_pipeline.quality.thresholds import set_threshold, unset_threshold
from anime_pipeline.story.importer import compare
from anime_pipeline.story.reader import read_production
from anime_pipeline_tests.rendering.studio import Studio


def sent(api: httpx.Client, method: str, path: str, status: int, **body: Any) -> Any:
    answer = api.request(method, f"/api/anime{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def ids(tiny: Studio) -> tuple[int, int, int]:
    """Project, episode, scene."""
    [row] = tiny.query(
        "SELECT e.project_id, e.id AS episode, s.id AS scene "
        "FROM episodes e JOIN scenes s ON s.episode_id = e.id"
    )
    return row.project_id, row.episode, row.scene


def cut_ids(tiny: Studio) -> list[int]:
    return [row.id for row in tiny.query("SELECT id FROM cuts ORDER BY cut_number")]


def test_scenes_are_shown_with_cuts_cast_takes_verdicts_and_durations(
    tiny: Studio, api: httpx.Client
) -> None:
    tiny.render()
    [scene] = sent(api, "GET", f"/episodes/{ids(tiny)[1]}/scenes", 200)["items"]
    assert scene["scene_key"] == "tiny.e01.s001"
    assert [member["character"] for member in scene["cast"]] == ["Mika", "Toru"]
    assert [cut["cut_key"][-5:] for cut in scene["cuts"]] == ["c0010", "c0020", "c0030", "c0040"]
    assert scene["duration_frames"] == 48 + 48 + 4 + 6
    assert scene["seconds"] == pytest.approx(106 / 24, abs=0.01)
    first = scene["cuts"][0]
    assert (first["take"]["take_number"], first["take"]["server_kind"]) == (1, "preview")
    assert first["lines"] == [{"speaker": "Mika", "text": "rain again"}]
    assert api.get(first["take"]["media_url"]).status_code == 200


def test_verdicts_are_shown_as_a_moved_threshold_leaves_them(tiny: Studio, api: httpx.Client) -> None:
    tiny.render()
    jobs = [row.job_id for row in tiny.query("SELECT job_id FROM studio.takes")]
    with session_scope(tiny.settings) as session:
        measure_takes(session, tiny.settings, jobs)
    with session_scope(tiny.settings) as session:
        judge_takes(session, jobs)
        judge_scope(session, "tiny.e01.s001", "phase_0_animatic")

    def shown() -> tuple[list[str], list[bool]]:
        [scene] = sent(api, "GET", f"/episodes/{ids(tiny)[1]}/scenes", 200)["items"]
        return (
            [cut["verdict"]["verdict"] for cut in scene["cuts"]],
            [verdict["stale"] for verdict in scene["verdicts"]],
        )

    before = shown()
    assert before[1] == [False]
    with session_scope(tiny.settings) as session:
        set_threshold(session, "tiny", "media_contract_minimum", 1.5, "Mo")
    assert shown() == (["failed"] * 4, [True])
    with session_scope(tiny.settings) as session:
        unset_threshold(session, "tiny", "media_contract_minimum", "Mo")
    assert shown() == before


def test_what_is_made_over_the_api_is_what_an_import_would_have_made(tiny: Studio, api: httpx.Client) -> None:
    project, _, _ = ids(tiny)
    episode = sent(api, "POST", f"/projects/{project}/episodes", 201, title="Snow")
    assert (episode["episode_number"], episode["episode_key"]) == (2, "tiny.e02")
    scene = sent(
        api, "POST", f"/episodes/{episode['id']}/scenes", 201, location="pier", mood="calm",
        cast=[{"character": "Mika", "costume_variant": "yukata"}],
    )  # fmt: skip
    cut = sent(
        api, "POST", f"/scenes/{scene['id']}/cuts", 201, kind="loop", duration_frames=8, repeats=2,
        dialogue=["Mika: snow"], description="flakes",
    )  # fmt: skip
    assert (cut["cut_key"], cut["film_frames"], cut["dialogue"]) == ("tiny.e02.s001.c0010", 16, "Mika: snow")
    assert tiny.keys()[-1] == "tiny.e02.s001.c0010"
    # The same said in a file: nothing is left to write.
    data = _file_of(tiny)
    data["episodes"].append(
        {"number": 2, "title": "Snow", "scenes": [{
            "number": 1, "location": "pier", "mood": "calm",
            "cast": [{"character": "Mika", "costume_variant": "yukata"}],
            "cuts": [{"number": 10, "kind": "loop", "duration_frames": 8, "repeats": 2,
                      "dialogue": ["Mika: snow"], "description": "flakes"}],
        }]}
    )  # fmt: skip
    assert _difference(tiny, data) == []


def test_a_change_makes_takes_stale_and_says_which_field(tiny: Studio, api: httpx.Client) -> None:
    tiny.render()
    first = cut_ids(tiny)[0]
    tag = api.get(f"/api/anime/cuts/{first}").headers["etag"]
    changed = api.patch(
        f"/api/anime/cuts/{first}", json={"camera_angle": "close-up"}, headers={"If-Match": tag}
    )
    assert changed.status_code == 200, changed.text
    assert tiny.states()["c0010"].state == "stale"
    assert tiny.states()["c0020"].state == "current"
    late = api.patch(f"/api/anime/cuts/{first}", json={"camera_angle": "wide"}, headers={"If-Match": tag})
    assert late.status_code == 412
    assert changed.json()["camera_angle"] == "close-up"
    assert changed.json()["take"]["take_number"] == 1


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/scenes/{scene}/cuts", {"kind": "loop"}, "#"),
        ("/scenes/{scene}/cuts", {"kind": "still", "number": 10}, "#/number"),
        ("/scenes/{scene}/cuts", {"kind": "still", "cast": ["Nobody"]}, "#/cast/0/character"),
        ("/scenes/{scene}/cuts", {"kind": "still", "cast": [{"character": "Mika", "variation": "coat"}]},
         "#/cast/0/variation"),
        ("/scenes/{scene}/cuts", {"kind": "still", "dialogue": ["Nobody: hm"]}, "#/dialogue/0/speaker"),
        ("/scenes/{scene}/cuts", {"kind": "still", "first_frame": "0" * 64}, "#/first_frame"),
        ("/scenes/{scene}/cuts", {"kind": "still", "descripton": "x"}, "#/descripton"),
        ("/episodes/{episode}/scenes", {"cast": [{"character": "Nobody"}]}, "#/cast/0/character"),
        ("/episodes/{episode}/scenes", {"number": 1}, "#/number"),
        ("/projects/{project}/episodes", {"number": 1}, "#/number"),
        ("/projects/{project}/episodes", {"title": "a\u0000b"}, "#"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_field_and_writes_nothing(
    shared_tiny: Studio, shared_api: httpx.Client, path: str, body: dict[str, Any], pointer: str
) -> None:
    project, episode, scene = ids(shared_tiny)
    answer = shared_api.post(
        f"/api/anime{path.format(project=project, episode=episode, scene=scene)}", json=body
    )
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert _difference(shared_tiny, _file_of(shared_tiny)) == []


def test_a_cast_that_cuts_need_stays(tiny: Studio, api: httpx.Client) -> None:
    refused = sent(api, "PATCH", f"/scenes/{ids(tiny)[2]}", 422, cast=[{"character": "Toru"}])
    assert refused["errors"][0]["pointer"].startswith("#/cuts/")
    assert _difference(tiny, _file_of(tiny)) == []


def test_cuts_in_another_order_keep_their_takes_and_render_nothing(tiny: Studio, api: httpx.Client) -> None:
    tiny.render()
    takes = {row.cut_id: row.job_id for row in tiny.query("SELECT cut_id, job_id FROM studio.takes")}
    order = cut_ids(tiny)
    order = [order[1], order[0], order[3], order[2]]
    shown = sent(api, "PUT", f"/scenes/{ids(tiny)[2]}/cuts/order", 200, cut_ids=order)["items"]
    assert [cut["number"] for cut in shown] == [10, 20, 30, 40]
    assert [cut["id"] for cut in shown] == order
    assert [cut["cut_key"][-5:] for cut in shown] == ["c0010", "c0020", "c0030", "c0040"]
    assert {cut["id"]: cut["take"]["job_id"] for cut in shown} == takes
    assert {state.state for state in tiny.states().values()} == {"current"}
    assert all(plan.state == "current" for plan in tiny.plan())
    named = tiny.query("SELECT cut_id, metadata->>'cut_key' AS key FROM jobs ORDER BY key")
    assert [row.cut_id for row in named] == order


def test_scenes_and_episodes_in_another_order_take_their_cuts_with_them(
    tiny: Studio, api: httpx.Client
) -> None:
    project, episode, scene = ids(tiny)
    tiny.render()
    other = sent(api, "POST", f"/episodes/{episode}/scenes", 201, cast=[{"character": "Toru"}])["id"]
    sent(api, "POST", f"/scenes/{other}/cuts", 201, kind="still")
    sent(api, "PUT", f"/episodes/{episode}/scenes/order", 200, scene_ids=[other, scene])
    assert tiny.keys() == [
        "tiny.e01.s001.c0010", *(f"tiny.e01.s002.c00{number}" for number in (10, 20, 30, 40))
    ]  # fmt: skip
    second = sent(api, "POST", f"/projects/{project}/episodes", 201)["id"]
    sent(api, "PUT", f"/projects/{project}/episodes/order", 200, episode_ids=[second, episode])
    assert tiny.keys()[0] == "tiny.e02.s001.c0010"
    states = [state.state for state in tiny.plan()]
    assert states == ["queued", "current", "current", "current", "current"]


@pytest.mark.parametrize("wanted", [lambda ids: ids[:-1], lambda ids: [*ids, 999], lambda ids: [ids[0]] * 4])
def test_an_order_names_each_cut_once(shared_tiny: Studio, shared_api: httpx.Client, wanted: Any) -> None:
    refused = sent(
        shared_api,
        "PUT",
        f"/scenes/{ids(shared_tiny)[2]}/cuts/order",
        422,
        cut_ids=wanted(cut_ids(shared_tiny)),
    )
    assert refused["errors"][0]["pointer"] == "#/cut_ids"


def test_an_order_that_would_move_an_override_is_refused(tiny: Studio, api: httpx.Client) -> None:
    tiny.query_none(
        "INSERT INTO studio.gate_overrides (scope_key, phase, verdict_id, verdict, verdict_reason, "
        "judged_sha256, standing, overridden_by, reason) VALUES ('tiny.e01.s001.c0010', 'phase_1_still', 1, "
        f"'failed', 'x', '{hashlib.sha256().hexdigest()}', TRUE, 'Rin', 'it must go out')"
    )
    refused = sent(api, "PUT", f"/scenes/{ids(tiny)[2]}/cuts/order", 422, cut_ids=cut_ids(tiny)[::-1])
    assert "tiny.e01.s001.c0010" in refused["detail"]
    assert [row.cut_number for row in tiny.query("SELECT cut_number FROM cuts ORDER BY id")] == [
        10,
        20,
        30,
        40,
    ]


def test_a_cut_that_continues_is_not_put_first(tiny: Studio, api: httpx.Client) -> None:
    order = cut_ids(tiny)
    sent(api, "PATCH", f"/cuts/{order[3]}", 200, continues=True)
    refused = sent(api, "PUT", f"/scenes/{ids(tiny)[2]}/cuts/order", 422, cut_ids=order[::-1])
    assert refused["errors"][0]["pointer"] == "#/cut_ids/0"


def test_omitted_cuts_leave_the_story_and_come_back_with_their_takes(tiny: Studio, api: httpx.Client) -> None:
    tiny.render()
    first = cut_ids(tiny)[0]
    assert sent(api, "POST", f"/cuts/{first}/omit", 200)["omitted"] is True
    assert tiny.keys()[0] == "tiny.e01.s001.c0020"
    scene = sent(api, "GET", f"/scenes/{ids(tiny)[2]}", 200)
    assert (len(scene["cuts"]), scene["duration_frames"]) == (3, 48 + 4 + 6)
    assert sent(api, "POST", f"/episodes/{ids(tiny)[1]}/omit", 200)["omitted"] is True
    assert tiny.keys() == []
    assert sent(api, "POST", f"/scenes/{ids(tiny)[2]}/restore", 200)["cuts"][0]["take"]["take_number"] == 1
    assert _difference(tiny, _file_of(tiny)) == []


def _file_of(tiny: Studio) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((tiny.folder / "production.yaml").read_text())
    return data


def _difference(tiny: Studio, data: dict[str, Any]) -> list[Any]:
    path = Path(tiny.folder / "compared.yaml")
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    with session_scope(tiny.settings) as session:
        return list(compare(session, read_production(path)).entries)


def test_what_was_delivered_of_a_scene_goes_with_it(tiny: Studio, api: httpx.Client) -> None:
    _, episode, scene = ids(tiny)
    tiny.render()
    sheet = sent(api, "POST", "/contact-sheets/tiny.e01.s001", 201)["sha256"]
    other = sent(api, "POST", f"/episodes/{episode}/scenes", 201)["id"]
    sent(api, "PUT", f"/episodes/{episode}/scenes/order", 200, scene_ids=[other, scene])
    [delivery] = tiny.query("SELECT scope_key, sha256 FROM studio.deliveries")
    assert (delivery.scope_key, delivery.sha256) == ("tiny.e01.s002", sheet)
    assert api.get("/api/anime/contact-sheets/tiny.e01.s001").status_code == 404
