"""Defends the way of models, LoRAs, poses and frames from the production file to what a cut consists of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import ProjectProfile
from anime_pipeline.story.importer import compare
from anime_pipeline_tests.story.files import mistakes, read, small
from anime_pipeline_tests.story.test_loader import imported


def pictured(folder: Path) -> dict[str, Any]:
    for name, colour in (("first", "red"), ("last", "blue"), ("pose", "green"), ("face", "white")):
        Image.new("RGB", (8, 8), colour).save(folder / f"{name}.png")
    data = small()
    data["project"]["models"] = {"video": "our-wan.safetensors"}
    mika = data["characters"][0]
    mika["lora_model_path"] = "mika.safetensors"
    mika["anchors"] = [
        {"name": "stance", "type": "pose_reference", "image": "pose.png"},
        {"name": "smile", "type": "expression_reference", "image": "face.png"},
    ]
    cut = data["episodes"][0]["scenes"][0]["cuts"][0]
    cut |= {"first_frame": "first.png", "last_frame": "last.png"}
    return data


def test_models_loras_poses_and_frames_reach_the_cut(session: Session, tmp_path: Path) -> None:
    contexts = imported(session, tmp_path, pictured(tmp_path))
    still, video = contexts["small.e01.s001.c0010"], contexts["small.e01.s001.c0030"]
    assert (still.model, video.model) == (None, "our-wan.safetensors")
    mika, toru = still.figures
    assert (mika.lora, toru.lora) == ("mika.safetensors", None)
    assert mika.pose_sha256 in mika.anchor_sha256s
    assert len(mika.anchor_sha256s) == 2
    assert toru.pose_sha256 is None
    assert still.first_frame_sha256
    assert still.last_frame_sha256 not in (None, still.first_frame_sha256)
    assert (video.first_frame_sha256, video.last_frame_sha256) == (None, None)


def test_an_edit_is_named_and_a_second_import_changes_nothing(session: Session, tmp_path: Path) -> None:
    data = pictured(tmp_path)
    imported(session, tmp_path, data)
    assert compare(session, read(tmp_path, data)).is_empty
    data["project"]["models"]["video"] = "another.safetensors"
    data["episodes"][0]["scenes"][0]["cuts"][0].pop("last_frame")
    changed = {entry.kind: entry for entry in compare(session, read(tmp_path, data)).entries}
    assert [change.field for change in changed["project"].changes] == ["models"]
    assert [change.field for change in changed["cut"].changes] == ["last_frame"]


def test_a_missing_frame_is_a_mistake_at_its_line(tmp_path: Path) -> None:
    data = pictured(tmp_path)
    data["episodes"][0]["scenes"][0]["cuts"][0]["first_frame"] = "nowhere.png"
    (mistake,) = mistakes(tmp_path, data)
    assert "nowhere.png" in mistake.message


def test_weights_and_retention_are_kept_and_a_scene_says_which_cuts_follow_on(
    session: Session, tmp_path: Path
) -> None:
    data = pictured(tmp_path)
    data["project"]["selection"] = {"weights": {"temporal_lpips": 2, "continuity": 0.5}}
    data["project"]["retention"] = {"keep": 2, "older_than_days": 30}
    scene = data["episodes"][0]["scenes"][0]
    scene["continuous"] = True
    scene["cuts"][-1]["continuous"] = False
    contexts = imported(session, tmp_path, data)
    follows = [context.continuous for key, context in contexts.items() if ".s001." in key]
    assert follows == [True] * (len(follows) - 1) + [False]
    profile = session.scalars(select(ProjectProfile)).one()
    assert profile.selection == {"weights": {"continuity": 0.5, "temporal_lpips": 2.0}}
    assert profile.retention == {"keep": 2, "older_than_days": 30}
    assert compare(session, read(tmp_path, data)).is_empty
    del data["project"]["selection"]
    (changed,) = compare(session, read(tmp_path, data)).entries
    assert [change.field for change in changed.changes] == ["selection"]


def test_a_cut_that_continues_is_continuous(session: Session, tmp_path: Path) -> None:
    data = pictured(tmp_path)
    data["episodes"][0]["scenes"][0]["cuts"][2]["continues"] = True
    contexts = imported(session, tmp_path, data)
    assert [key for key, context in contexts.items() if context.continuous] == ["small.e01.s001.c0030"]


def test_an_unknown_metric_and_a_weight_below_nothing_are_mistakes_at_their_lines(tmp_path: Path) -> None:
    data = pictured(tmp_path)
    data["project"]["selection"] = {"weights": {"temporal_lpip": 1, "aesthetic": -1, "continuity": "much"}}
    found = {mistake.field: mistake for mistake in mistakes(tmp_path, data)}
    unknown = found["project.selection.weights.temporal_lpip"]
    assert unknown.line > 0
    assert unknown.suggestion == "did you mean 'temporal_lpips'?"
    assert "at least 0" in found["project.selection.weights.aesthetic"].message
    assert "must be a number" in found["project.selection.weights.continuity"].message
