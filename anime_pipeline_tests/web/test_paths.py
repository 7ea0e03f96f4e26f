"""Defends the folders that clients may name pictures in: nothing outside is read, or told of."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile
from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings

VARIATIONS = "/api/anime/characters/variations"


@pytest.fixture
def inbox(settings: Settings) -> Path:
    """The folder, with a picture in it and one beside it."""
    folder = settings.picture_roots[0]
    (folder / "below").mkdir(parents=True)
    for path in (folder / "in.png", folder / "below" / "deep.png", folder.parent / "secret.png"):
        Image.new("RGB", (8, 8), "red").save(path)
    return folder


def variation(client: TestClient, path: str) -> tuple[int, dict[str, object]]:
    """The answer to a variation with this reference picture."""
    (mika,) = client.get("/api/anime/characters").json()["items"] or [
        client.post("/api/anime/characters", json={"name": "Mika"}).json()
    ]
    body = {
        "character_id": mika["id"],
        "variation_name": f"as in {path[-40:]!r}",
        "reference_image_path": path,
    }
    answer = client.post(VARIATIONS, json=body)
    return answer.status_code, answer.json()


def test_a_picture_of_the_folder_goes_into_the_store(
    client: TestClient, settings: Settings, session: Session, inbox: Path
) -> None:
    status, made = variation(client, "below/../in.png")
    assert status == 201, made
    kept = session.scalars(select(MediaFile)).one()
    assert made["reference_image_path"] == kept.location
    assert MediaStore.of(settings).exists(kept.sha256, ".png")
    for same in (str(inbox / "in.png"), "below/deep.png", kept.location):
        status, again = variation(client, same)
        assert (status, again["reference_image_path"]) == (201, kept.location)


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/passwd", "below/../../secret.png", "/proc/self/environ"]
)
def test_a_path_that_leads_out_is_refused(client: TestClient, inbox: Path, path: str) -> None:
    status, problem = variation(client, path)
    assert status == 422
    assert "leads out" in str(problem["detail"])
    assert problem["errors"] == [
        {"pointer": "#/reference_image_path", "detail": problem["detail"], "in": "body"}
    ]


def test_whether_something_lies_outside_is_not_told(client: TestClient, inbox: Path) -> None:
    there, not_there = variation(client, "../secret.png"), variation(client, "../nothing.png")
    assert there[1]["detail"] == not_there[1]["detail"]


def test_links_that_lead_out_are_refused(client: TestClient, inbox: Path) -> None:
    (inbox / "link.png").symlink_to(inbox.parent / "secret.png")
    (inbox / "folder").symlink_to(inbox.parent)
    (inbox / "good.png").symlink_to(inbox / "in.png")
    (inbox / "round.png").symlink_to(inbox / "round.png")
    assert variation(client, "link.png")[0] == 422
    assert variation(client, "folder/secret.png")[0] == 422
    assert variation(client, "round.png")[0] == 422
    assert variation(client, "good.png")[0] == 201


@pytest.mark.parametrize("path", ["below", "nothing.png", "a\0b.png", "x" * 501, "x" * 400, " "])
def test_what_is_no_file_is_refused(client: TestClient, inbox: Path, path: str) -> None:
    assert variation(client, path)[0] == 422


def test_what_is_no_picture_is_refused(client: TestClient, session: Session, inbox: Path) -> None:
    (inbox / "script.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    )
    (inbox / "text.png").write_text("no picture")
    Image.new("RGB", (8, 8)).save(inbox / "anim.gif")
    for name in ("script.svg", "text.png", "anim.gif"):
        status, problem = variation(client, name)
        assert status == 422, problem
        assert "PNG" in str(problem["remedy"])
    assert session.scalars(select(MediaFile)).all() == []
