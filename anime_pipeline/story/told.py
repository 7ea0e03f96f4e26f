"""What each cut is told by, as one hash: the same hash, the same context from the loader.

Whole rows are hashed, so that a column which the loader comes to read needs nothing here; a table that it
comes to read does. Columns that decide nothing cost a needless composing when they change, never an error.
The transaction that wrote a row (``xmin``) is in the hash too: what was changed and changed back is told
anew, so that equal hashes before and after reading mean that nothing was changed in between.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

# The hash of a file says nothing of a cut, and each import writes it.
_TOLD = text("""
    WITH shown AS MATERIALIZED (
        SELECT p.cut_id, p.cut_key, p.project_id, c.scene_id, p.spec, row(p, p.xmin, c, c.xmin)::text AS told
        FROM studio.cut_profiles p JOIN public.cuts c ON c.id = p.cut_id
        WHERE p.cut_key = ANY(:keys)
    ), cast_rows AS MATERIALIZED (
        SELECT s.*, s.xmin AS row_xmin FROM public.scene_characters s
        WHERE s.scene_id IN (SELECT scene_id FROM shown)
    ), characters AS MATERIALIZED (
        SELECT h.id, sha256(convert_to(row(
            h, h.xmin,
            (SELECT string_agg(row(a, a.xmin)::text, ',' ORDER BY a.id)
             FROM public.character_attributes a WHERE a.character_id = h.id),
            (SELECT string_agg(row(v, v.xmin)::text, ',' ORDER BY v.id)
             FROM public.character_variations v WHERE v.character_id = h.id),
            (SELECT string_agg(row(a, a.xmin)::text, ',' ORDER BY a.id)
             FROM public.character_anchors a WHERE a.character_id = h.id))::text, 'UTF8')) AS told
        FROM public.characters h WHERE h.id IN (SELECT character_id FROM cast_rows)
    ), scenes AS MATERIALIZED (
        SELECT s.id, sha256(convert_to(row(
            s, s.xmin,
            (SELECT string_agg(row(r, h.told)::text, ',' ORDER BY r.id)
             FROM cast_rows r JOIN characters h ON h.id = r.character_id WHERE r.scene_id = s.id),
            EXISTS (SELECT FROM public.episodes e WHERE e.id = s.episode_id))::text, 'UTF8')) AS told
        FROM public.scenes s WHERE s.id IN (SELECT scene_id FROM shown)
    ), projects AS MATERIALIZED (
        SELECT p.project_id, sha256(convert_to(row(
            to_jsonb(p) - '{source_path,source_sha256,updated_at}'::text[],
            (SELECT string_agg(row(b, b.xmin)::text, ',' ORDER BY b.id)
             FROM public.story_bibles b WHERE b.project_id = p.project_id))::text, 'UTF8')) AS told
        FROM studio.project_profiles p WHERE p.project_id IN (SELECT project_id FROM shown)
    ), directed AS MATERIALIZED (
        SELECT r.cut_id, string_agg(row(r, r.xmin)::text, ',' ORDER BY r.id) AS told
        FROM studio.retakes r
        WHERE r.changes <> '{}' AND r.cut_id IN (SELECT cut_id FROM shown) GROUP BY r.cut_id
    )
    SELECT k.cut_id, k.cut_key, k.spec -> 'continues' AS continues, k.spec ->> 'first_frame' AS first_frame,
           encode(sha256(convert_to(row(k.told, s.told, p.told, d.told)::text, 'UTF8')), 'hex') AS sha256
    FROM shown k
    JOIN scenes s ON s.id = k.scene_id
    JOIN projects p USING (project_id)
    LEFT JOIN directed d ON d.cut_id = k.cut_id
""")


def told_cuts(session: Session, cut_keys: Collection[str]) -> dict[str, Row[Any]]:
    """By cut key: ``cut_id``, ``sha256`` of all that the loader reads of it, ``continues``, ``first_frame``.

    The last two are as the cut's spec has them. One query. A key that is not stored is left out.
    """
    return {row.cut_key: row for row in session.execute(_TOLD, {"keys": list(cut_keys)})}
