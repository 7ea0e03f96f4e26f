"""Cuts that go on where the one before them ends: its last frame is kept as a picture, and is their first."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from typing import Any

from PIL import Image
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile
from anime_pipeline.media.film import iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutContext
from anime_pipeline.story.loader import load_cut_contexts

# Of each cut of these scenes, the take that stands for it: the selected, else the newest finished one.
_STANDING = text("""
    SELECT DISTINCT ON (p.cut_key) p.cut_key, t.job_id, t.last_frame_sha256, f.sha256, f.suffix
    FROM studio.cut_profiles p
    LEFT JOIN (
        studio.takes t
        JOIN jobs j ON j.id = t.job_id AND j.status = 'completed' AND t.reproduces_job_id IS NULL
        JOIN studio.take_media m ON m.job_id = t.job_id AND m.role IN ('film', 'frame')
        JOIN studio.media_files f ON f.sha256 = m.sha256
    ) ON t.cut_id = p.cut_id
    WHERE p.omitted_at IS NULL AND regexp_replace(p.cut_key, '[.][^.]+$', '') = ANY(:scene_keys)
    ORDER BY p.cut_key, t.selected DESC NULLS LAST, t.take_number DESC NULLS LAST, m.role, m.position DESC
""")


def load_render_contexts(
    session: Session, settings: Settings, cut_keys: Collection[str]
) -> dict[str, CutContext]:
    """As :func:`~anime_pipeline.story.loader.load_cut_contexts`, continuing cuts with their first frame.

    It stays None where the cut before has no finished take. One more query where a cut continues.
    """
    contexts = load_cut_contexts(session, cut_keys)
    going_on = [one for one in contexts.values() if one.continues and one.first_frame_sha256 is None]
    if going_on:
        frames = _last_frames(session, settings, {one.scene_key for one in going_on}, going_on)
        for one in going_on:
            contexts[one.cut_key] = replace(one, first_frame_sha256=frames.get(one.cut_key))
    return contexts


def _last_frames(
    session: Session, settings: Settings, scene_keys: Collection[str], wanted: Iterable[CutContext]
) -> dict[str, str]:
    """Cut key → the last frame of the cut before it in its scene."""
    rows = session.execute(_STANDING, {"scene_keys": sorted(scene_keys)}).all()
    keys = {one.cut_key for one in wanted}
    frames = {}
    for before, after in pairwise(sorted(rows, key=lambda row: str(row.cut_key))):
        same_scene = before.cut_key.rpartition(".")[0] == after.cut_key.rpartition(".")[0]
        if after.cut_key in keys and same_scene and before.job_id is not None:
            frames[after.cut_key] = before.last_frame_sha256 or _kept(session, settings, before)
    return frames


def _kept(session: Session, settings: Settings, take: Any) -> str:
    """Decode a take's last frame once and keep it; its sha256."""
    store = MediaStore.of(settings)
    last = None
    for frame in iter_frames(store.local_path(take.sha256, take.suffix)):
        last = frame
    assert last is not None
    out = BytesIO()
    Image.fromarray(last).save(out, format="PNG")
    stored = store.put_bytes(out.getvalue(), ".png")
    row = {
        "sha256": stored.sha256, "kind": "image", "suffix": stored.suffix, "bytes": stored.bytes,
        "location": stored.location, "width": last.shape[1], "height": last.shape[0], "frame_count": 1,
    }  # fmt: skip
    session.execute(insert(MediaFile).values(row).on_conflict_do_nothing())
    session.execute(
        text("UPDATE studio.takes SET last_frame_sha256 = :sha256 WHERE job_id = :job_id"),
        {"sha256": stored.sha256, "job_id": take.job_id},
    )
    return stored.sha256
