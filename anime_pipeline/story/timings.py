"""How long cuts last and play, without anything that shows in them: what many films at once are asked by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Cut, CutProfile
from anime_pipeline.story.context import CutKind


@dataclass(frozen=True)
class CutTiming:
    """As the cut's :class:`~anime_pipeline.story.context.CutContext` has these."""

    cut_id: int
    cut_key: str
    project_id: int
    kind: CutKind
    fps: int
    film_frames: int


def load_cut_timings(session: Session, cut_keys: Collection[str]) -> dict[str, CutTiming]:
    """The timing of each stored cut by its key; one query."""
    rows = session.execute(
        select(
            CutProfile.cut_id,
            CutProfile.cut_key,
            CutProfile.project_id,
            CutProfile.kind,
            CutProfile.fps,
            Cut.duration_frames,
            CutProfile.spec["repeats"].label("repeats"),
        )
        .join(Cut, Cut.id == CutProfile.cut_id)
        .where(CutProfile.cut_key.in_(list(cut_keys)))
    )
    return {
        row.cut_key: CutTiming(
            row.cut_id,
            row.cut_key,
            row.project_id,
            cast(CutKind, row.kind),
            row.fps,
            (row.duration_frames or 1) * (row.repeats or 1),
        )
        for row in rows
    }
