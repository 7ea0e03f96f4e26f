"""Defends enrolment: one face a picture or a refusal in words, several anchors a character, nothing twice,
and never a face of a picture that the anchor no longer has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from anime_pipeline.database.models import CharacterAnchor, FaceEmbedding, ProjectProfile
from anime_pipeline.quality.enrolment import EnrolledPicture, enroll
from anime_pipeline.quality.errors import EnrolmentError, QualityError, UnknownScopeError
from anime_pipeline.quality.facts import load_takes
from anime_pipeline.quality.references import load_enrolled
from anime_pipeline_tests.quality.casting import (
    BLUE,
    NO_FACE,
    RED,
    TWO_FACES,
    add_character,
    lay_ccip,
    picture_file,
)
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.quality.engines.tiny_onnx import mean_colours, scrfd_of
from anime_pipeline_tests.quality.films import panning
from anime_pipeline_tests.quality.studio import SLUG, Studio

pytest.importorskip("onnxruntime")
pytest.importorskip("scipy")


@pytest.fixture
def models(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The studio's models folder, with a ccip that finds one face in every picture."""
    shelf = Shelf(studio.settings.models_path, monkeypatch)
    lay_ccip(shelf)
    return shelf


def enrolled(studio: Studio, name: str | None = None, images: Sequence[Path] = ()) -> list[EnrolledPicture]:
    """Enrol and commit."""
    pictures = enroll(studio.session, studio.settings, SLUG, name, images)
    studio.session.commit()
    return pictures


def imported_anchor(studio: Studio, character_id: int, path: Path) -> CharacterAnchor:
    """An anchor as the import of a production file leaves it."""
    stored = studio.store.put_file(path)
    return studio.add(
        CharacterAnchor(
            character_id=character_id,
            anchor_type="pose_reference",
            anchor_name=path.stem,
            image_path=stored.location,
            metadata_={"imported": True},
        )
    )


def test_several_pictures_become_anchors_with_their_faces(
    studio: Studio, models: Shelf, tmp_path: Path
) -> None:
    mika = add_character(studio, "Mika")
    files = [picture_file(tmp_path, f"mika {number}", RED, number) for number in range(3)]
    assert [picture.state for picture in enrolled(studio, "mika", files)] == ["enrolled"] * 3
    anchors = studio.session.query(CharacterAnchor).filter_by(character_id=mika.id).all()
    faces = studio.session.query(FaceEmbedding).filter_by(character_id=mika.id).all()
    assert [anchor.anchor_name for anchor in anchors] == ["mika 0", "mika 1", "mika 2"]
    assert {face.anchor_id for face in faces} == {anchor.id for anchor in anchors}
    assert {face.embedding_type for face in faces} == {"ccip"}
    assert faces[0].face_bbox == {"left": 26, "top": 26, "right": 38, "bottom": 38}
    assert faces[0].confidence_score == pytest.approx(0.9)
    assert anchors[0].face_embedding == faces[0].embedding_vector
    assert len(np.frombuffer(faces[0].embedding_vector, "<f4")) == 3
    assert [picture.state for picture in enrolled(studio, "Mika", files)] == ["unchanged"] * 3
    assert studio.session.query(FaceEmbedding).count() == 3


def test_arcface_keeps_the_landmarks_it_found(studio: Studio, models: Shelf, tmp_path: Path) -> None:
    pytest.importorskip("insightface")
    detector, embedder = scrfd_of([(32, 32, 0.9)]), mean_colours([112, 112], "input.1", "683")
    models.lay("buffalo_l", detector, embedder)
    add_character(studio, "Mika")
    studio.session.query(ProjectProfile).one().identity_backend = "arcface"
    studio.session.commit()
    (picture,) = enrolled(studio, "Mika", [picture_file(tmp_path, "mika", RED)])
    assert picture.state == "enrolled", picture.reason
    (face,) = studio.session.query(FaceEmbedding)
    assert face.embedding_type == "arcface"
    assert len(face.face_landmarks["points"]) == 5
    assert face.confidence_score == pytest.approx(0.9)
    assert set(face.face_bbox) == {"left", "top", "right", "bottom"}


@pytest.mark.parametrize(("faces", "said"), [(NO_FACE, "no face"), (TWO_FACES, "2 faces")])
def test_a_picture_without_one_face_is_refused_in_words_and_leaves_nothing(
    studio: Studio, models: Shelf, tmp_path: Path, faces: Sequence[Sequence[float]], said: str
) -> None:
    lay_ccip(models, faces)
    add_character(studio, "Mika")
    (picture,) = enrolled(studio, "Mika", [picture_file(tmp_path, "mika", RED)])
    assert (picture.state, picture.face) == ("refused", None)
    assert said in (picture.reason or "")
    assert picture.remedy
    assert studio.session.query(CharacterAnchor).count() == 0


def test_anchors_of_the_production_file_are_enrolled_and_one_refusal_costs_no_other(
    studio: Studio, models: Shelf, tmp_path: Path
) -> None:
    mika, kon = add_character(studio, "Mika"), add_character(studio, "Kon")
    imported_anchor(studio, mika.id, picture_file(tmp_path, "mika", RED))
    imported_anchor(studio, kon.id, picture_file(tmp_path, "kon", BLUE))
    lost = imported_anchor(studio, kon.id, picture_file(tmp_path, "lost", BLUE, 9))
    lost.image_path = "/mnt/old/kon.png"
    gone = imported_anchor(studio, kon.id, picture_file(tmp_path, "gone", BLUE, 3))
    gone.metadata_ = {"omitted": True}
    imported_anchor(studio, kon.id, picture_file(tmp_path, "harbour", BLUE, 6)).anchor_type = "style_anchor"
    studio.session.commit()
    states = {(p.character, p.picture): p.state for p in enrolled(studio)}
    assert states == {
        ("Mika", "pose_reference mika"): "enrolled",
        ("Kon", "pose_reference kon"): "enrolled",
        ("Kon", "pose_reference lost"): "refused",
    }


def test_a_repainted_anchor_is_not_recognised_until_it_is_enrolled_again(
    studio: Studio, models: Shelf, tmp_path: Path
) -> None:
    mika = add_character(studio, "Mika")
    anchor = imported_anchor(studio, mika.id, picture_file(tmp_path, "mika", RED))
    enrolled(studio)
    anchor.image_path = studio.store.put_file(picture_file(tmp_path, "repainted", BLUE)).location
    studio.session.commit()
    assert load_enrolled(studio.session, [studio.project.id]) == []
    assert [picture.state for picture in enrolled(studio)] == ["enrolled"]
    (face,) = load_enrolled(studio.session, [studio.project.id])
    assert (face.character, face.backend) == ("Mika", "ccip")
    assert studio.session.query(FaceEmbedding).count() == 1


def test_a_take_knows_the_faces_of_its_cast_and_no_others(
    studio: Studio, models: Shelf, tmp_path: Path
) -> None:
    mika, _ = add_character(studio, "Mika"), add_character(studio, "Kon")
    for name, colour in (("Mika", RED), ("Kon", BLUE)):
        enrolled(studio, name, [picture_file(tmp_path, f"{name}{n}", colour, n) for n in range(2)])
    job = studio.take(studio.cut(10, "still", cast=(mika.id,)), panning(1))
    (take,) = load_takes(studio.session, [job])
    assert {name: faces.shape for name, faces in take.facts.face_anchors.items()} == {"Mika": (2, 3)}
    assert len(take.facts.anchors["Mika"]) == 2
    assert take.facts.identity_calibration is None
    assert take.facts.style is None


def test_what_cannot_be_enrolled_says_what_to_do(studio: Studio, models: Shelf, tmp_path: Path) -> None:
    with pytest.raises(UnknownScopeError):
        enroll(studio.session, studio.settings, "nowhere")
    with pytest.raises(EnrolmentError, match="no anchor"):
        enroll(studio.session, studio.settings, SLUG)
    add_character(studio, "Mika")
    with pytest.raises(EnrolmentError, match="did you mean Mika"):
        enroll(studio.session, studio.settings, SLUG, "Mka")
    with pytest.raises(EnrolmentError, match="one character"):
        enroll(studio.session, studio.settings, SLUG, images=[tmp_path / "mika.png"])
    with pytest.raises(QualityError, match="there is no picture"):
        enroll(studio.session, studio.settings, SLUG, "Mika", [tmp_path / "mika.png"])
    (models.folder / "ccip" / "model_feat.onnx").unlink()
    with pytest.raises(EnrolmentError, match=r"ccip is unavailable: weights are absent") as refused:
        enroll(studio.session, studio.settings, SLUG, "Mika", [picture_file(tmp_path, "mika", RED)])
    assert refused.value.remedy == "anime-pipeline models fetch ccip"
