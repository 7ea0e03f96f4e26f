"""Another order of cuts, scenes or episodes: their numbers are dealt out anew among them, in one transaction.

A number is part of the key that partitions, reels and seeds go by, and takes belong to the row. So what gets
another number takes everything with it: its takes, what was delivered of it, and (as ``seed_key``) the key
that its seeds are drawn from, or each of its takes would be stale. Verdicts are never changed: they were of
the old key, and are made anew. The numbers themselves stay the same set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Cut, CutProfile, Episode, ProjectProfile, Scene
from anime_pipeline.story.keys import CutKey, EpisodeKey, SceneKey
from anime_pipeline.story.structure import StructureError
from anime_pipeline.story.unscripted import UNSCRIPTED


def reorder_cuts(session: Session, scene: Scene, cut_ids: Sequence[int]) -> None:
    """Order a scene's cuts. ``cut_ids`` are all that are not omitted; omitted ones keep their numbers.

    Raises :class:`StructureError` for another set of cuts, for a first cut that ``continues``, and where a
    standing override is of one of the keys.
    """
    rows = session.execute(
        select(Cut.id, Cut.cut_number, CutProfile.spec)
        .join(CutProfile)
        .where(Cut.scene_id == scene.id, CutProfile.omitted_at.is_(None))
    ).all()
    numbers = _dealt({row.id: row.cut_number for row in rows}, cut_ids, "cut", "cut_ids")
    specs = {row.id: row.spec for row in rows}
    if cut_ids and specs[cut_ids[0]].get("continues"):
        raise StructureError(
            f"Cut {cut_ids[0]} continues the cut before it, so it cannot be the first.",
            "Set its continues to false, or put another one first.",
            "/cut_ids/0",
        )
    _write(session, scene.episode_id, "cuts", "cut_number", numbers)


def reorder_scenes(session: Session, episode: Episode, scene_ids: Sequence[int]) -> None:
    """Order an episode's scenes; ``scene_ids`` are all of them."""
    rows = session.execute(select(Scene.id, Scene.scene_number).where(Scene.episode_id == episode.id))
    numbers = _dealt({row.id: row.scene_number for row in rows}, scene_ids, "scene", "scene_ids")
    _write(session, episode.id, "scenes", "scene_number", numbers)


def reorder_episodes(session: Session, project_id: int, episode_ids: Sequence[int]) -> None:
    """Order a project's episodes; ``episode_ids`` are all of them but the one of unscripted shots."""
    rows = session.execute(
        select(Episode.id, Episode.episode_number).where(
            Episode.project_id == project_id, Episode.status.is_distinct_from(UNSCRIPTED)
        )
    )
    numbers = _dealt({row.id: row.episode_number for row in rows}, episode_ids, "episode", "episode_ids")
    _write(session, next(iter(numbers), None), "episodes", "episode_number", numbers)


def _dealt(stored: dict[int, int], wanted: Sequence[int], what: str, field: str) -> dict[int, int]:
    if sorted(wanted) != sorted(stored):
        missing = sorted(set(stored) - set(wanted))
        hint = f"These are missing: {missing}." if missing else f"They are {sorted(stored)}."
        raise StructureError(f"The list is not each {what} of it, once.", hint, f"/{field}")
    return dict(zip(wanted, sorted(stored.values()), strict=True))


def _write(
    session: Session, episode_id: int | None, table: str, column: str, numbers: dict[int, int]
) -> None:
    """Give rows their numbers and everything below them its keys."""
    project_id = session.scalar(select(Episode.project_id).where(Episode.id == episode_id))
    profile = session.get(ProjectProfile, project_id) if project_id is not None else None
    before = _keys(session, profile) if profile is not None else {}
    ids = {"ids": list(numbers), "numbers": list(numbers.values())}
    # Numbers are unique at every moment, so all of them step aside first.
    session.execute(text(f"UPDATE {table} SET {column} = -1 - {column} WHERE id = ANY(:ids)"), ids)
    session.execute(
        text(
            f"UPDATE {table} t SET {column} = n.number "
            "FROM unnest(CAST(:ids AS int[]), CAST(:numbers AS int[])) n(id, number) WHERE t.id = n.id"
        ),
        ids,
    )
    session.expire_all()
    if profile is not None:
        after = _keys(session, profile)
        moved = {before[row]: key for row, key in after.items() if before[row] != key}
        _refuse_standing_overrides(session, moved)
        _rename(session, moved)


def _keys(session: Session, profile: ProjectProfile) -> dict[tuple[str, int], str]:
    """The key of each episode, scene and cut of a project as its numbers say."""
    slug = profile.slug
    rows = session.execute(
        select(
            Episode.id.label("episode"), Episode.episode_number, Scene.id.label("scene"), Scene.scene_number,
            CutProfile.cut_id.label("cut"), Cut.cut_number,
        )
        .join(Scene, Scene.episode_id == Episode.id, isouter=True)
        .join(Cut, Cut.scene_id == Scene.id, isouter=True)
        .join(CutProfile, CutProfile.cut_id == Cut.id, isouter=True)
        .where(Episode.project_id == profile.project_id, Episode.status.is_distinct_from(UNSCRIPTED))
    )  # fmt: skip
    keys: dict[tuple[str, int], str] = {}
    for row in rows:
        keys["episode", row.episode] = str(EpisodeKey(slug, row.episode_number))
        if row.scene is not None:
            keys["scene", row.scene] = str(SceneKey(slug, row.episode_number, row.scene_number))
        if row.cut is not None:
            keys["cut", row.cut] = str(CutKey(slug, row.episode_number, row.scene_number, row.cut_number))
    return keys


def _refuse_standing_overrides(session: Session, moved: dict[str, str]) -> None:
    found = session.scalars(
        text("""
            SELECT DISTINCT scope_key FROM studio.gate_overrides
            WHERE standing AND withdrawn_at IS NULL AND scope_key = ANY(:keys) ORDER BY 1
        """),
        {"keys": list(moved)},
    ).all()
    if found:
        raise StructureError(
            f"A standing override of a gate is of {', '.join(found)}; in another order it would open "
            "the gate of something else.",
            "Withdraw it first, and override again afterwards.",
        )


def _rename(session: Session, moved: dict[str, str]) -> None:
    """Let everything that goes by a key go by the new one; keys are a permutation or new."""
    keys: dict[str, Any] = {"old": list(moved), "new": list(moved.values())}
    pairs = "unnest(CAST(:old AS text[]), CAST(:new AS text[])) m(old, new)"
    session.execute(
        text("""
            UPDATE studio.cut_profiles SET cut_key = '~' || cut_id, spec = spec || jsonb_build_object(
                'seed_key', COALESCE(spec->>'seed_key', cut_key), 'moved_from', cut_key)
            WHERE cut_key = ANY(:old)
        """),
        keys,
    )
    session.execute(
        text(f"""
            UPDATE studio.cut_profiles p SET cut_key = m.new, spec = p.spec - 'moved_from',
                   updated_at = CURRENT_TIMESTAMP
            FROM {pairs} WHERE p.spec->>'moved_from' = m.old
        """),
        keys,
    )
    session.execute(
        text(f"UPDATE studio.deliveries d SET scope_key = m.new FROM {pairs} WHERE d.scope_key = m.old"), keys
    )
    session.execute(
        text("""
            UPDATE jobs SET metadata = metadata || jsonb_build_object('cut_key', p.cut_key)
            FROM studio.cut_profiles p
            WHERE p.cut_id = jobs.cut_id AND p.cut_key = ANY(:new)
              AND metadata->>'cut_key' IS DISTINCT FROM p.cut_key
        """),
        keys,
    )
    session.expire_all()
