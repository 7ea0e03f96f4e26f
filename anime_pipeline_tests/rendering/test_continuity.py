"""Defends continuity: a cut that goes on begins with the very last frame of the one before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import yaml
from PIL import Image

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.film import iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.continuity import load_render_contexts
from anime_pipeline.rendering.templates import SHIPPED, own_folder
from anime_pipeline_tests.rendering.studio import Studio, production

FIRST, SECOND = "tiny.e01.s001.c0040", "tiny.e01.s001.c0050"


def going_on(studio: Studio) -> dict[str, Any]:
    """A video, and one that goes on from it; the animatic shows the first frame as its background."""
    folder = own_folder(studio.settings)
    folder.mkdir(parents=True)
    sidecar = yaml.safe_load((SHIPPED / "animatic-video.yaml").read_text())
    sidecar["slots"]["first_frame"] = sidecar["slots"].pop("background")
    (folder / "onward.yaml").write_text(yaml.safe_dump(sidecar))
    (folder / "onward.json").write_bytes((SHIPPED / "animatic-video.json").read_bytes())
    data = production()
    scene = data["episodes"][0]["scenes"][0]
    second = {"number": 50, "kind": "video", "duration_frames": 4, "continues": True, "workflow": "onward"}
    scene["cuts"] = [scene["cuts"][3], second]
    return data


def test_the_last_frame_is_kept_uploaded_and_named(studio: Studio) -> None:
    studio.import_(going_on(studio))
    plans = {plan.cut_key: plan for plan in studio.plan()}
    assert plans[FIRST].state == "queued"
    assert plans[SECOND].state == "failed"
    assert "render that one first" in str(plans[SECOND].reason)
    assert [take.cut_key for take in studio.drain().finished] == [FIRST]
    assert [take.cut_key for take in studio.render().finished] == [FIRST, SECOND]

    (take,) = studio.query(
        "SELECT last_frame_sha256 AS sha FROM studio.takes WHERE last_frame_sha256 IS NOT NULL"
    )
    store = MediaStore.of(studio.settings)
    (film,) = studio.query("""
        SELECT f.sha256, f.suffix FROM studio.take_media m JOIN studio.media_files f USING (sha256)
        JOIN studio.takes t USING (job_id) JOIN studio.cut_profiles p USING (cut_id)
        WHERE m.role = 'film' AND p.cut_key = 'tiny.e01.s001.c0040'
    """)
    *_, last = iter_frames(store.local_path(film.sha256, film.suffix))
    with Image.open(store.local_path(take.sha, ".png")) as picture:
        assert np.array_equal(np.asarray(picture), last)
    recipes = studio.query("SELECT inputs FROM studio.recipes WHERE template_name = 'onward'")
    assert recipes[0].inputs == {f"{take.sha}.png": take.sha}
    assert studio.states()["c0050"].state == "current"


def test_another_take_before_it_makes_a_cut_stale_and_says_why(studio: Studio) -> None:
    studio.import_(going_on(studio))
    studio.render()
    studio.render()
    (retake,) = studio.retake([FIRST])
    studio.drain()
    assert retake.answered_by_take == 2
    state = studio.states()["c0050"]
    assert state.state == "stale"
    assert [change.field for change in state.changes] == ["cut.first_frame"]


def test_the_first_cut_of_a_scene_has_nothing_to_go_on_from(studio: Studio) -> None:
    data = going_on(studio)
    scene = data["episodes"][0]["scenes"][0]
    scene["cuts"] = scene["cuts"][1:]
    studio.import_(data)
    with session_scope(studio.settings) as session:
        assert load_render_contexts(session, studio.settings, [SECOND])[SECOND].first_frame_sha256 is None
