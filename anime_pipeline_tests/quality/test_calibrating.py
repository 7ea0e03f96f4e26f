"""Defends calibration: what the show's own pictures can tell apart is computed as the metrics compare, stored
under the hash of the pictures, drawn, and named by every verdict that rests on it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anime_pipeline.database.models import Calibration, GateThreshold, Measurement
from anime_pipeline.errors import UserError
from anime_pipeline.quality.calibrating import (
    CalibrationReport,
    calibrate_identity,
    calibrate_style,
)
from anime_pipeline.quality.engines import ccip
from anime_pipeline.quality.engines.embeddings import Embedder
from anime_pipeline.quality.engines.style_reference import StyleReferenceError
from anime_pipeline.quality.enrolment import enroll
from anime_pipeline.quality.errors import CalibrationError
from anime_pipeline.quality.facts import load_takes
from anime_pipeline.quality.gates import judge_cut, latest_verdict
from anime_pipeline.quality.measuring import measure_takes
from anime_pipeline.quality.style_pictures import add_style_pictures, remove_style_pictures
from anime_pipeline_tests.quality.casting import (
    BLUE,
    GREEN,
    RED,
    add_character,
    lay_ccip,
    painted,
    picture_file,
)
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.quality.studio import SLUG, Studio

pytest.importorskip("onnxruntime")
pytest.importorskip("scipy")

PHASE = "phase_1_still"


@pytest.fixture
def models(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The studio's models folder, with a ccip that finds one face in every picture."""
    shelf = Shelf(studio.settings.models_path, monkeypatch)
    lay_ccip(shelf)
    return shelf


def cast(studio: Studio, folder: Path, **pictures: list[tuple[int, int, int]]) -> list[int]:
    """Characters enrolled from pictures of these colours; their ids."""
    ids = []
    for name, colours in pictures.items():
        ids.append(add_character(studio, name).id)
        files = [picture_file(folder, f"{name}{at}", colour, at) for at, colour in enumerate(colours)]
        enroll(studio.session, studio.settings, SLUG, name, files)
    studio.session.commit()
    return ids


def calibrated(studio: Studio) -> CalibrationReport:
    """Calibrate identity and commit."""
    report = calibrate_identity(studio.session, studio.settings, SLUG)
    studio.session.commit()
    return report


def test_characters_that_differ_separate_and_the_threshold_lies_between(
    studio: Studio, models: Shelf, tmp_path: Path
) -> None:
    cast(studio, tmp_path, Mika=[RED] * 3, Kon=[BLUE] * 2, Toru=[GREEN])
    report = calibrated(studio)
    found = report.separation
    assert (len(found.same), len(found.different)) == (3 + 2, 3 * 2 + 2 * 2 + 1 * 2)
    assert found.auc == 1.0
    assert found.separates
    assert report.threshold == 0.70
    assert found.passing(report.threshold) == (1.0, 0.0)
    np.testing.assert_allclose(
        found.same, (1 - 0.3 * np.array(found.raw_same) / ccip.THRESHOLD).clip(0, 1), atol=1e-9
    )
    with Image.open(report.plot) as plot:
        assert (plot.format, plot.mode) == ("PNG", "RGB")
    (row,) = studio.session.query(Calibration)
    assert (row.id, row.auc, row.references_sha256) == (report.id, 1.0, report.references_sha256)
    assert len(row.pictures) == 6
    assert studio.store.exists(row.plot_sha256, ".png")


def test_characters_drawn_alike_do_not_separate(studio: Studio, models: Shelf, tmp_path: Path) -> None:
    cast(studio, tmp_path, Mika=[RED, BLUE], Kon=[RED, BLUE])
    report = calibrated(studio)
    assert report.separation.auc < 0.9
    assert not report.separation.separates


def test_the_hash_of_the_pictures_is_the_version(studio: Studio, models: Shelf, tmp_path: Path) -> None:
    cast(studio, tmp_path, Mika=[RED] * 2, Kon=[BLUE] * 2)
    first = calibrated(studio)
    assert first.is_new
    again = calibrated(studio)
    assert (again.id, again.is_new) == (first.id, False)
    enroll(studio.session, studio.settings, SLUG, "Kon", [picture_file(tmp_path, "more", BLUE, 30)])
    more = calibrated(studio)
    assert more.is_new
    assert more.references_sha256 != first.references_sha256
    studio.add(
        GateThreshold(project_id=studio.project.id, gate_name="face_similarity_minimum", threshold_value=0.6)
    )
    strict = calibrated(studio)
    assert (strict.threshold, strict.references_sha256) == (0.6, more.references_sha256)
    assert strict.is_new, "another threshold falls elsewhere"


def test_too_few_faces_and_other_weights_are_said(studio: Studio, models: Shelf, tmp_path: Path) -> None:
    cast(studio, tmp_path, Mika=[RED] * 2)
    with pytest.raises(CalibrationError, match=r"two characters.*Mika 2"):
        calibrated(studio)
    cast(studio, tmp_path, Kon=[BLUE])
    lay_ccip(models, ((60, 64, 24, 24, 0.9),))
    with pytest.raises(CalibrationError, match="other weights") as refused:
        calibrated(studio)
    assert refused.value.remedy == f"anime-pipeline characters enroll {SLUG}"
    (models.folder / "anime-face" / "face_detect_v1.4_s.onnx").unlink()
    with pytest.raises(CalibrationError, match="unavailable") as absent:
        calibrated(studio)
    assert absent.value.remedy == "anime-pipeline models fetch anime-face"


def measured_still(studio: Studio, mika: int) -> tuple[str, int]:
    """A rendered still of Mika that passes all else that its phase asks; its cut key and job id."""
    key = studio.cut(10, "still", cast=(mika,))
    job = studio.take(key, painted(RED)[None], "comfyui")
    return key, job


def measure_again(studio: Studio, key: str, job: int) -> str:
    """Measure and judge; the verdict's reason."""
    measure_takes(studio.session, studio.settings, [job])
    studio.session.expire_all()
    passing = {"media_contract": 1.0, "aesthetic": 6.0, "style_adherence": None, "generation_seconds": 1.0}
    studio.measured(job, {**passing, "style_adherence": 0.9})
    verdict = judge_cut(studio.session, key, PHASE)
    studio.session.commit()
    return verdict.reason


@pytest.mark.parametrize(("kon", "said"), [(BLUE, "(AUC 1.00)"), (RED, "which cannot separate (AUC 0.")])
def test_a_verdict_names_its_calibration_and_says_when_it_cannot_separate(
    studio: Studio, models: Shelf, tmp_path: Path, kon: tuple[int, int, int], said: str
) -> None:
    mika, _ = cast(studio, tmp_path, Mika=[RED] * 2, Kon=[kon] * 2)
    key, job = measured_still(studio, mika)
    assert "face_similarity is not calibrated" in measure_again(studio, key, job)
    report = calibrated(studio)
    reason = measure_again(studio, key, job)
    assert f"face_similarity by calibration {report.references_sha256[:12]}" in reason
    assert said in reason
    verdict = latest_verdict(studio.session, key, PHASE)
    assert verdict is not None
    assert not verdict.stale
    named = {entry["metric"]: entry for entry in verdict.thresholds["calibrations"]}
    assert named["face_similarity"]["references_sha256"] == report.references_sha256
    face = studio.session.get_one(Measurement, (job, "face_similarity"))
    assert face.state == "measured"
    assert face.settings["calibration"]["auc"] == report.separation.auc


def test_anchors_that_other_weights_made_are_not_compared_with(
    studio: Studio, models: Shelf, tmp_path: Path
) -> None:
    (mika,) = cast(studio, tmp_path, Mika=[RED])
    _, job = measured_still(studio, mika)
    lay_ccip(models, ((60, 64, 24, 24, 0.9),))
    measure_takes(studio.session, studio.settings, [job])
    face = studio.session.get_one(Measurement, (job, "face_similarity"))
    assert (face.state, face.remedy) == ("not_measurable", "anime-pipeline characters enroll")
    assert "other weights" in (face.reason or "")
    enroll(studio.session, studio.settings, SLUG)
    studio.session.commit()
    measure_takes(studio.session, studio.settings, [job])
    studio.session.expire_all()
    assert studio.session.get_one(Measurement, (job, "face_similarity")).state == "measured"


def test_a_calibration_of_other_anchors_is_not_named(studio: Studio, models: Shelf, tmp_path: Path) -> None:
    mika, _ = cast(studio, tmp_path, Mika=[RED] * 2, Kon=[BLUE] * 2)
    _, job = measured_still(studio, mika)
    calibrated(studio)
    enroll(studio.session, studio.settings, SLUG, "Kon", [picture_file(tmp_path, "more", BLUE, 30)])
    (take,) = load_takes(studio.session, [job])
    assert take.facts.identity_calibration is None


def test_a_calibration_with_other_weights_is_not_named(studio: Studio, models: Shelf, tmp_path: Path) -> None:
    mika, _ = cast(studio, tmp_path, Mika=[RED] * 2, Kon=[BLUE] * 2)
    _, job = measured_still(studio, mika)
    calibrated(studio)
    lay_ccip(models, ((60, 64, 24, 24, 0.9),))
    enroll(studio.session, studio.settings, SLUG)
    studio.session.commit()
    (take,) = load_takes(studio.session, [job])
    assert take.facts.identity_calibration is None, "the same pictures, seen otherwise"
    assert calibrated(studio).is_new
    (take,) = load_takes(studio.session, [job])
    assert take.facts.identity_calibration is not None


@pytest.fixture
def colours(models: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture's mean colour stands in for CLIP's embedding."""

    def embed(self: Embedder, frames: Any, models_dir: Path) -> Any:
        vectors = frames.reshape(len(frames), -1, 3).mean(axis=1).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    monkeypatch.setattr(Embedder, "embed", embed)
    monkeypatch.setattr(Embedder, "model", lambda *_: None)
    models.lay("clip-vit-l-14", b"stands in")
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")


def test_a_style_is_calibrated_stored_and_used(studio: Studio, colours: None, tmp_path: Path) -> None:
    approved = [picture_file(tmp_path, f"ours{n}", (200 - 4 * n, 40, 30)) for n in range(5)]
    others = [picture_file(tmp_path, f"theirs{n}", (30, 60 + 9 * n, 200)) for n in range(4)]
    add_style_pictures(studio.session, studio.settings, SLUG, approved, others)
    report = calibrate_style(studio.session, studio.settings, SLUG, "clip")
    studio.session.commit()
    assert report.separation.auc == 1.0
    assert report.threshold == 0.85
    assert max(report.separation.different) < 0.85 <= float(np.median(report.separation.same))
    job = studio.take(studio.cut(10, "still"), painted((198, 40, 30))[None], "comfyui")
    (take,) = load_takes(studio.session, [job])
    assert take.facts.style is not None
    assert take.facts.style.calibration.references_sha256 == report.references_sha256
    measure_takes(studio.session, studio.settings, [job])
    studio.session.expire_all()
    style = studio.session.get_one(Measurement, (job, "style_adherence"))
    assert (style.state, style.backend) == ("measured", "clip")
    assert style.value is not None
    assert style.value > 0.85
    assert style.details["calibration"]["auc"] == 1.0


def test_a_picture_of_the_style_is_taken_back(studio: Studio, colours: None, tmp_path: Path) -> None:
    approved = [picture_file(tmp_path, f"ours{n}", (200 - 4 * n, 40, 30)) for n in range(6)]
    others = [picture_file(tmp_path, f"theirs{n}", (30, 60 + 9 * n, 200)) for n in range(5)]
    add_style_pictures(studio.session, studio.settings, SLUG, approved, others)
    before = calibrate_style(studio.session, studio.settings, SLUG, "clip")
    sha256 = hashlib.sha256(others[0].read_bytes()).hexdigest()
    remove_style_pictures(studio.session, SLUG, [str(approved[0]), sha256[:8].upper()])
    after = calibrate_style(studio.session, studio.settings, SLUG, "clip")
    assert (len(before.separation.same), len(after.separation.same)) == (6, 5)
    assert (len(before.separation.different), len(after.separation.different)) == (5, 4)
    for gone in (str(approved[0]), sha256[:8], "ours", ""):
        with pytest.raises(CalibrationError, match="is none of the style's pictures") as refused:
            remove_style_pictures(studio.session, SLUG, [gone])
    assert (refused.value.remedy or "").count("(approved)") == 5
    assert (refused.value.remedy or "").count("(other)") == 4


def test_a_style_that_other_weights_made_is_not_compared_with(
    studio: Studio, models: Shelf, colours: None, tmp_path: Path
) -> None:
    approved = [picture_file(tmp_path, f"ours{n}", (200 - 4 * n, 40, 30)) for n in range(5)]
    others = [picture_file(tmp_path, "theirs", (30, 60, 200))]
    add_style_pictures(studio.session, studio.settings, SLUG, approved, others)
    calibrate_style(studio.session, studio.settings, SLUG, "clip")
    studio.session.commit()
    job = studio.take(studio.cut(10, "still"), painted((198, 40, 30))[None], "comfyui")

    def style() -> Measurement:
        measure_takes(studio.session, studio.settings, [job])
        studio.session.expire_all()
        return studio.session.get_one(Measurement, (job, "style_adherence"))

    assert style().state == "measured"
    models.lay("clip-vit-l-14", b"another network")
    assert (style().state, style().remedy) == ("not_measurable", "anime-pipeline calibrate PROJECT")
    assert style().reason == "the project's style was calibrated with other weights"
    assert calibrate_style(studio.session, studio.settings, SLUG, "clip").is_new
    studio.session.commit()
    assert style().state == "measured"


def test_a_style_without_references_says_so(studio: Studio, colours: None, tmp_path: Path) -> None:
    with pytest.raises(StyleReferenceError, match="there are 0 and 0"):
        calibrate_style(studio.session, studio.settings, SLUG, "clip")
    with pytest.raises(CalibrationError, match="csd is unavailable") as absent:
        calibrate_style(studio.session, studio.settings, SLUG, "csd")
    assert isinstance(absent.value, UserError)
    assert absent.value.remedy == "anime-pipeline models fetch csd-vit-l"
