"""Defends enrolling and checking over the API: a number only where something was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from anime_pipeline.database.models import Character, FaceEmbedding, GenerationConsistency
from anime_pipeline_tests.quality.casting import BLUE, NO_FACE, RED, add_character, lay_ccip, picture_file
from anime_pipeline_tests.quality.conftest import studio
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.quality.studio import Studio
from anime_pipeline_tests.web.clients import client_of

__all__ = ["studio"]
pytest.importorskip("onnxruntime")
pytest.importorskip("scipy")


@pytest.fixture
def inbox(studio: Studio) -> Path:
    """The folder that clients may name pictures in, with a red and a blue one."""
    folder = studio.settings.picture_roots[0]
    folder.mkdir()
    picture_file(folder, "red", RED)
    picture_file(folder, "red-again", RED, shade=3)
    picture_file(folder, "blue", BLUE)
    return folder


@pytest.fixture
def mika(studio: Studio, inbox: Path) -> Character:
    """A character of the studio's project."""
    return add_character(studio, "Mika")


@pytest.fixture
def models(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Weights that find one face in every picture and compare colours."""
    shelf = Shelf(studio.settings.models_path, monkeypatch)
    lay_ccip(shelf)
    return shelf


@pytest.fixture
def api(studio: Studio, mika: Character) -> Iterator[TestClient]:
    """A client whose URLs begin at Mika."""
    with client_of(studio.settings) as client:
        client.base_url = f"http://localhost/api/anime/characters/{mika.id}"
        yield client


def test_a_reference_picture_is_enrolled_and_others_are_held_to_it(
    studio: Studio, models: Shelf, api: TestClient, mika: Character
) -> None:
    enrolled = api.put("/embedding", json={"reference_image_path": "red.png"})
    assert enrolled.status_code == 200, enrolled.text
    assert [picture["state"] for picture in enrolled.json()["pictures"]] == ["enrolled"]
    studio.session.refresh(mika)
    face = studio.session.scalars(select(FaceEmbedding)).one()
    assert mika.reference_embedding == face.embedding_vector
    assert enrolled.json()["dimensions"] == len(face.embedding_vector) // 4

    like = api.post("/consistency-check", json={"image_path": "red-again.png", "threshold": 0.7}).json()
    unlike = api.post("/consistency-check", json={"image_path": "blue.png"}).json()
    assert like["passed"]
    assert like["score"] > 0.7 > unlike["score"]
    assert not unlike["passed"]
    assert unlike["threshold"] == 0.7
    kept = studio.session.scalars(select(GenerationConsistency).order_by(GenerationConsistency.id)).all()
    assert [row.face_similarity_score for row in kept] == [like["score"], unlike["score"]]
    assert [row.quality_gates_passed for row in kept] == [True, False]


def test_what_is_enrolled_is_looked_at_again_only_when_asked(models: Shelf, api: TestClient) -> None:
    def states(**body: object) -> list[str]:
        return [picture["state"] for picture in api.put("/embedding", json=body).json()["pictures"]]

    assert states(reference_image_path="red.png") == ["enrolled"]
    assert states(reference_image_path="red.png") == ["unchanged"]
    assert states() == ["unchanged"]
    assert states(force_recompute=True) == ["enrolled"]


def test_without_weights_there_is_no_number(studio: Studio, api: TestClient) -> None:
    for answer in (
        api.put("/embedding", json={"reference_image_path": "red.png"}),
        api.post("/consistency-check", json={"image_path": "red.png"}),
    ):
        assert answer.status_code == 409, answer.text
        assert "score" not in answer.json()
    assert "models fetch" in api.put("/embedding", json={"reference_image_path": "red.png"}).json()["remedy"]
    assert studio.session.scalars(select(GenerationConsistency)).all() == []


def test_without_an_enrolled_picture_nothing_passes(models: Shelf, api: TestClient) -> None:
    answer = api.post("/consistency-check", json={"image_path": "red.png", "threshold": 0})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["score"], answer.json()["passed"]) == (
        "not_measurable",
        None,
        False,
    )


def test_a_picture_without_a_face_is_refused(models: Shelf, api: TestClient) -> None:
    lay_ccip(models, NO_FACE)
    answer = api.put("/embedding", json={"reference_image_path": "red.png"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/reference_image_path"
