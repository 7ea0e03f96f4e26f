"""What is known of takes before a frame is decoded: media, what was asked, palette, cast and times."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Character,
    Cut,
    CutProfile,
    GenerationParams,
    Job,
    MediaFile,
    ProjectProfile,
    RenderAttempt,
    Take,
    TakeMedia,
)
from anime_pipeline.quality.calibrations import identity_of, newest_calibrations, style_of
from anime_pipeline.quality.engines.protocol import TakeFacts
from anime_pipeline.quality.evidence import FRESH
from anime_pipeline.quality.references import EnrolledFace, load_enrolled, stacked
from anime_pipeline.story.context import Bible, CutKind
from anime_pipeline.story.loader import load_bibles


@dataclass(frozen=True)
class TakeToMeasure:
    """A take with its facts. ``media`` are (sha256, suffix) in the order in which they show."""

    job_id: int
    cut_key: str
    project_id: int
    status: str
    facts: TakeFacts
    media: tuple[tuple[str, str], ...]


def load_takes(session: Session, job_ids: Collection[int]) -> list[TakeToMeasure]:
    """The takes among these jobs, in the order of cut key and take; a constant number of queries.

    What was asked is what the take was asked for when it was queued (generation_params), not what its cut
    says today: a cut edited since makes the take stale, which is another matter than a broken one.
    """
    wanted = list(dict.fromkeys(job_ids))
    rows = session.execute(
        select(Take, Job.status, CutProfile, Cut, ProjectProfile)
        .join(Job, Job.id == Take.job_id)
        .join(CutProfile, CutProfile.cut_id == Take.cut_id)
        .join(Cut, Cut.id == Take.cut_id)
        .join(ProjectProfile, ProjectProfile.project_id == CutProfile.project_id)
        .where(Take.job_id.in_(wanted)),
        execution_options=FRESH,
    ).all()
    asked = _asked(session, wanted)
    media = media_of_takes(session, wanted)
    seconds = _seconds(session, wanted)
    project_ids = {profile.project_id for _, _, profile, _, _ in rows}
    character_ids = {id_ for _, _, _, cut, _ in rows for id_ in cut.character_ids or ()}
    bibles = load_bibles(session, project_ids)
    names = _names(session, character_ids)
    faces = load_enrolled(session, project_ids, character_ids)
    calibrations = newest_calibrations(session, project_ids)
    takes = []
    for take, status, profile, cut, project in sorted(
        rows, key=lambda row: (row[2].cut_key, row[0].take_number)
    ):
        params = asked.get(take.job_id)
        files = media.get(take.job_id, [])
        seen = [face for face in faces if face.backend == project.identity_backend]
        cast_faces = [face for face in seen if face.character_id in (cut.character_ids or ())]
        facts = TakeFacts(
            kind=cast(CutKind, profile.kind),
            frame_count=_frames_asked(profile, cut, params),
            fps=float((params.fps if params else None) or profile.fps),
            width=(params.width if params else None) or project.width,
            height=(params.height if params else None) or project.height,
            file_fps=files[0].fps if len(files) == 1 else None,
            palette=_palette(bibles.get(profile.project_id)),
            motion_expected=profile.kind != "still",
            generation_seconds=seconds.get(take.job_id),
            server_kind=take.server_kind,
            figures=tuple(names[id_] for id_ in cut.character_ids or () if id_ in names),
            anchors=_pictures(cast_faces),
            face_anchors=stacked(cast_faces),
            anchor_weights=frozenset(face.weights_sha256 for face in cast_faces),
            identity_backend=project.identity_backend,
            identity_calibration=identity_of(
                calibrations.get((profile.project_id, "identity")),
                [face for face in seen if face.project_id == profile.project_id],
            ),
            style=style_of(calibrations.get((profile.project_id, "style"))),
        )
        shown = tuple((file.sha256, file.suffix) for file in files)
        takes.append(
            TakeToMeasure(take.job_id, profile.cut_key, profile.project_id, status or "", facts, shown)
        )
    return takes


def _frames_asked(profile: CutProfile, cut: Cut, params: GenerationParams | None) -> int | None:
    if profile.kind == "still":
        return 1  # a still is one picture, however long it is held in the film
    return (params.frame_count if params else None) or cut.duration_frames


def _asked(session: Session, job_ids: Sequence[int]) -> dict[int, GenerationParams]:
    rows = session.scalars(
        select(GenerationParams).where(GenerationParams.job_id.in_(job_ids)).order_by(GenerationParams.id),
        execution_options=FRESH,
    )
    return {row.job_id: row for row in rows if row.job_id is not None}


def media_of_takes(session: Session, job_ids: Collection[int]) -> dict[int, list[MediaFile]]:
    """The files that show a take: its film, else its frames in order."""
    rows = session.execute(
        select(TakeMedia.job_id, TakeMedia.role, MediaFile)
        .join(MediaFile, MediaFile.sha256 == TakeMedia.sha256)
        .where(TakeMedia.job_id.in_(job_ids), TakeMedia.role.in_(("film", "frame")))
        .order_by(TakeMedia.position)
    )
    by_role: dict[tuple[int, str], list[MediaFile]] = {}
    for job_id, role, file in rows:
        by_role.setdefault((job_id, role), []).append(file)
    return {id_: by_role.get((id_, "film")) or by_role[(id_, "frame")] for id_, _ in by_role}


def _seconds(session: Session, job_ids: Sequence[int]) -> dict[int, float]:
    rows = session.execute(
        select(RenderAttempt.job_id, RenderAttempt.gpu_seconds)
        .where(RenderAttempt.job_id.in_(job_ids), RenderAttempt.outcome == "succeeded")
        .order_by(RenderAttempt.id)
    )
    return {job_id: seconds for job_id, seconds in rows if seconds is not None}


def _palette(bible: Bible | None) -> dict[str, str]:
    return {name: str(colour) for name, colour in bible.color_palette.items()} if bible else {}


def _pictures(faces: Sequence[EnrolledFace]) -> dict[str, tuple[str, ...]]:
    """The sha256s of the enrolled pictures by character."""
    names = dict.fromkeys(face.character for face in faces)
    return {name: tuple(face.sha256 for face in faces if face.character == name) for name in names}


def _names(session: Session, character_ids: Collection[int]) -> dict[int, str]:
    rows = session.execute(select(Character.id, Character.name).where(Character.id.in_(character_ids)))
    return {row.id: row.name for row in rows}
