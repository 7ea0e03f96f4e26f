"""The takes that cuts have already, read at once, and whether their files are all there."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.variants import FIRST, Variant

SUPERSEDED = "superseded by a change of"
"""How the message of a take begins that was withdrawn unbegun, since its cut wants another recipe now."""


@dataclass(frozen=True)
class KnownTake:
    """A take as the database knows it. ``is_whole``: finished, and each file is in the store. ``is_pruned``:
    finished, and its files were removed to free space, so that it is not rendered again by itself.

    ``is_reproduction``: it renders another take again. It has a number of the cut's and shows nothing new.
    """

    job_id: int
    cut_id: int
    take_number: int
    recipe_hash: str
    status: str
    error_message: str | None
    selected: bool
    is_whole: bool
    is_reproduction: bool = False
    variant: Variant = FIRST
    story_hash: str | None = None
    is_pruned: bool = False

    @property
    def is_finished(self) -> bool:
        """Rendered and recorded."""
        return self.status == "completed"

    @property
    def is_ended(self) -> bool:
        """Given up: failed or cancelled."""
        return self.status in ("failed", "cancelled")

    @property
    def is_superseded(self) -> bool:
        """Withdrawn because of an edit: it may be wanted again when that is undone."""
        return was_superseded(self.status, self.error_message)


def was_superseded(status: str, message: str | None) -> bool:
    """Whether a take of this status and message was withdrawn because its cut wants another recipe now."""
    return status == "cancelled" and (message or "").startswith(SUPERSEDED)


_TAKES = text("""
    SELECT t.job_id, t.cut_id, t.take_number, t.recipe_hash, t.variant::text AS variant, t.story_hash,
           t.selected,
           j.status, j.error_message, COALESCE(m.files, '{}') AS files,
           t.reproduces_job_id IS NOT NULL AS is_reproduction, t.pruned_at IS NOT NULL AS is_pruned
    FROM studio.takes t
    JOIN jobs j ON j.id = t.job_id
    LEFT JOIN (
        SELECT tm.job_id, array_agg(f.sha256 || f.suffix) AS files
        FROM studio.take_media tm JOIN studio.media_files f USING (sha256)
        JOIN studio.takes mine ON mine.job_id = tm.job_id AND mine.cut_id = ANY(:cut_ids)
        WHERE tm.role IN ('film', 'frame') GROUP BY tm.job_id
    ) m ON m.job_id = t.job_id
    WHERE t.cut_id = ANY(:cut_ids)
    ORDER BY t.cut_id, t.take_number
""")


@lru_cache(maxsize=256)
def _variant(stored: str) -> Variant:
    return Variant.from_json(json.loads(stored))


def known_takes(
    session: Session, cut_ids: Collection[int], store: MediaStore | None
) -> dict[int, list[KnownTake]]:
    """Takes by cut, oldest first.

    Without a ``store``, files that the database names are believed to be there.
    """
    takes: dict[int, list[KnownTake]] = {}
    rows = session.execute(_TAKES, {"cut_ids": list(cut_ids)}).all()
    there = store.present({name for row in rows for name in row.files}) if store else None
    for row in rows:
        whole = row.status == "completed" and bool(row.files) and not row.is_pruned and (
            there is None or there.issuperset(row.files)
        )  # fmt: skip
        takes.setdefault(row.cut_id, []).append(
            KnownTake(
                row.job_id, row.cut_id, row.take_number, row.recipe_hash, row.status,
                row.error_message, row.selected, whole, row.is_reproduction,
                _variant(row.variant), row.story_hash, row.is_pruned,
            )
        )  # fmt: skip
    return takes
