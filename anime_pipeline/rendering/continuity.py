"""Cuts that go on where the one before them ends: its last frame is kept as a picture, and is their first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.media.film_ends import last_frame
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.kept_frames import keep_frame
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutContext
from anime_pipeline.story.loader import load_cut_contexts

# For each of these cuts, the take that stands for the one before it in its scene: the selected, else the
# newest finished one. Keys of one scene sort as bytes in every collation.
_BEFORE = text("""
    SELECT DISTINCT ON (a.cut_key) a.cut_key, t.job_id, t.last_frame_sha256, f.sha256, f.suffix
    FROM unnest(CAST(:keys AS text[])) AS a (cut_key)
    CROSS JOIN LATERAL (
        SELECT p.cut_id FROM studio.cut_profiles p
        WHERE p.omitted_at IS NULL AND p.cut_key ~<~ a.cut_key
          AND p.cut_key ~>=~ (regexp_replace(a.cut_key, '[^.]+$', '')) ORDER BY p.cut_key USING ~>~ LIMIT 1
    ) b
    JOIN studio.takes t ON t.cut_id = b.cut_id AND t.reproduces_job_id IS NULL AND t.pruned_at IS NULL
    JOIN jobs j ON j.id = t.job_id AND j.status = 'completed'
    JOIN studio.take_media m ON m.job_id = t.job_id AND m.role IN ('film', 'frame')
    JOIN studio.media_files f ON f.sha256 = m.sha256
    ORDER BY a.cut_key, t.selected DESC, t.take_number DESC, m.role, m.position DESC
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
        frames = first_frames(session, settings, [one.cut_key for one in going_on])
        for one in going_on:
            contexts[one.cut_key] = replace(one, first_frame_sha256=frames.get(one.cut_key))
    return contexts


def first_frames(session: Session, settings: Settings, cut_keys: Collection[str]) -> dict[str, str]:
    """Cut key → the last frame of the cut before it in its scene, where that has a finished take."""
    if not cut_keys:
        return {}
    rows = session.execute(_BEFORE, {"keys": list(cut_keys)}).all()
    return {row.cut_key: row.last_frame_sha256 or _kept(session, settings, row) for row in rows}


def _kept(session: Session, settings: Settings, take: Any) -> str:
    """Decode a take's last frame once and keep it; its sha256."""
    store = MediaStore.of(settings)
    sha256 = keep_frame(session, store, last_frame(store.local_path(take.sha256, take.suffix)))
    session.execute(
        text("UPDATE studio.takes SET last_frame_sha256 = :sha256 WHERE job_id = :job_id"),
        {"sha256": sha256, "job_id": take.job_id},
    )
    return sha256
