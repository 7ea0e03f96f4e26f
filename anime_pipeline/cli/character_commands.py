"""``anime-pipeline characters``: the approved pictures that characters are recognised by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select

from anime_pipeline.cli.console import JsonOption, err, print_json, print_labelled, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.models import FaceEmbedding
from anime_pipeline.database.session import session_scope
from anime_pipeline.quality.enrolment import EnrolledPicture, anchors_of, characters_of, project_profile
from anime_pipeline.quality.enrolment import enroll as enroll_pictures
from anime_pipeline.quality.references import load_enrolled

app = typer.Typer(no_args_is_help=True)
ProjectArgument = Annotated[str, typer.Argument(help="A project's slug.")]


@app.command()
def enroll(
    project: ProjectArgument,
    character: Annotated[str | None, typer.Argument(help="Without it, every character.")] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(
            "--image", help="A picture of the character, which becomes an anchor; as often as needed."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Enrol faces from the anchors of the production file, or from pictures given here.

    Exit status 1 where a picture was refused: it has no face, or several.
    """
    house = open_house()
    with session_scope(house.settings) as session:
        pictures = enroll_pictures(session, house.settings, project, character, image or [])
    if as_json:
        print_json([_as_json(picture) for picture in pictures])
    else:
        rows = [
            (p.character, p.picture, p.state, p.face.confidence if p.face else None, p.reason or "")
            for p in pictures
        ]
        print_table("Faces", ("character", "picture", "state", "confidence", "why"), rows)
    refused = [picture for picture in pictures if picture.state == "refused"]
    for remedy in sorted({picture.remedy for picture in refused if picture.remedy}):
        print_labelled(err, "To mend it:", remedy)
    if refused:
        raise typer.Exit(1)


def _as_json(picture: EnrolledPicture) -> dict[str, Any]:
    face = picture.face
    return {
        "character": picture.character,
        "picture": picture.picture,
        "state": picture.state,
        "reason": picture.reason,
        "remedy": picture.remedy,
        "face": face and {"box": face.box, "landmarks": face.landmarks, "confidence": face.confidence},
    }


@app.command("list")
def list_characters(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """A project's characters, with how many anchors they have and how many of those are enrolled."""
    house = open_house()
    with session_scope(house.settings) as session:
        profile = project_profile(session, project)
        characters = characters_of(session, profile.project_id)
        anchors = [row.character_id for row in anchors_of(session, [row.id for row in characters])]
        faces = load_enrolled(session, [profile.project_id])
    enrolled = [face.character_id for face in faces if face.backend == profile.identity_backend]
    rows = [(row.name, anchors.count(row.id), enrolled.count(row.id)) for row in characters]
    if as_json:
        print_json([dict(zip(("name", "anchors", "enrolled"), row, strict=True)) for row in rows])
        return
    print_table(
        f"Characters of {project}, faces by {profile.identity_backend}", ("name", "anchors", "enrolled"), rows
    )


@app.command()
def show(
    project: ProjectArgument,
    character: Annotated[str, typer.Argument(help="A character's name.")],
    as_json: JsonOption = False,
) -> None:
    """A character's anchors and the face that each backend has enrolled from them."""
    house = open_house()
    with session_scope(house.settings) as session:
        profile = project_profile(session, project)
        (found,) = characters_of(session, profile.project_id, character)
        anchors = {row.id: row for row in anchors_of(session, [found.id])}
        current = {
            (face.anchor_id, face.backend)
            for face in load_enrolled(session, [profile.project_id])
            if face.character_id == found.id
        }
        query = select(FaceEmbedding).where(FaceEmbedding.anchor_id.in_(anchors)).order_by(FaceEmbedding.id)
        faces = [row for row in session.scalars(query) if (row.anchor_id, row.embedding_type) in current]
    entries = [
        {
            "type": anchor.anchor_type,
            "name": anchor.anchor_name,
            "picture": anchor.image_path,
            "faces": {
                row.embedding_type: {
                    "box": row.face_bbox,
                    "landmarks": (row.face_landmarks or {}).get("points"),
                    "confidence": row.confidence_score,
                }
                for row in faces
                if row.anchor_id == anchor.id
            },
        }
        for anchor in anchors.values()
    ]
    if as_json:
        print_json({"name": found.name, "backend": profile.identity_backend, "anchors": entries})
        return
    shown = [
        (entry["type"], entry["name"], ", ".join(entry["faces"]) or "not enrolled", entry["picture"])
        for entry in entries
    ]
    print_table(f"Anchors of {found.name}", ("type", "name", "enrolled by", "picture"), shown)
