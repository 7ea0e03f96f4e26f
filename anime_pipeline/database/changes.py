"""What was written since a reader last looked: asked of the rows themselves, so that no writer can forget.

Each row of PostgreSQL knows the transaction that wrote it (``xmin``). A reader keeps the oldest transaction
that was still open when it looked; whatever a later or then open one wrote is new to it, in whatever order
they commit. A time or a serial number would miss a transaction that began before the look and ended after it.
A row that was deleted shows in the count. Nothing is written, no trigger has to run, and clients of the
public tables are seen as well; the price is a walk over tables of some ten thousand rows, a few milliseconds
each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

_OF_A_CUT = {
    "cuts": "id",
    "studio.cut_profiles": "cut_id",
    "studio.takes": "cut_id",
    "studio.retakes": "cut_id",
}
"""Tables whose rows each concern one cut, and the column that names it."""
_OF_MANY = frozenset(
    {
        "projects", "story_bibles", "characters", "character_attributes", "character_variations",
        "character_anchors", "episodes", "scenes", "scene_characters",
        "quality_gates", "studio.gate_thresholds", "studio.phase_metrics", "studio.gate_overrides",
    }
)  # fmt: skip
"""Small tables of which a change may concern any cut."""
_PROFILES = "studio.project_profiles"
_VERDICTS = "studio.gate_verdicts"
_NEWEST_VERDICTS = 10_000
"""Verdicts are only added: the newest tell. Those on takes are news; those on scopes follow from them."""
_MOST_TRANSACTIONS = 2**31

PARTITIONS = ("studio.cut_profiles",)
STORY = (*sorted(_OF_MANY - {"quality_gates", "studio.gate_thresholds", "studio.phase_metrics",
                             "studio.gate_overrides"}),
         _PROFILES, "cuts", "studio.cut_profiles")  # fmt: skip
TAKES = ("studio.takes",)
FILMS = (*STORY, *TAKES, "studio.retakes")
GATES = (*FILMS, "quality_gates", "studio.gate_thresholds", "studio.phase_metrics", "studio.gate_overrides",
         "studio.gate_verdicts")  # fmt: skip


@dataclass(frozen=True)
class Look:
    """What a look found, and the ``mark`` that the next one begins at.

    ``changed`` names the tables with news. ``cut_ids`` are the cuts that the news is about; None where it may
    concern any cut, and at a first look.
    """

    mark: str
    changed: tuple[str, ...]
    cut_ids: frozenset[int] | None


def look(session: Session, tables: Sequence[str], mark: str | None) -> Look:
    """Everything that was written to the tables since ``mark`` was made, in one statement.

    A change may be told twice, where its transaction was open during the look before; none is passed over.
    A mark of other tables or of another database cluster is taken for none.
    """
    before = _parsed(mark, tables)
    since = before["xid"] if before else None
    now = int(session.scalar(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")) or 0)
    if since is not None and not 0 <= now - since < _MOST_TRANSACTIONS:
        before = since = None
    rows = session.execute(
        text(" UNION ALL ".join(_asked(table) for table in tables)),
        {"since": None if since is None else str(since % 2**32)},
    ).all()
    known = {row.name: [row.rows, row.print] for row in rows}
    made = json.dumps({"xid": rows[0].xid, "known": known}, separators=(",", ":"))
    if before is None:
        return Look(made, tuple(tables), None)
    changed = tuple(row.name for row in rows if row.fresh or known[row.name] != before["known"][row.name])
    told = {*_OF_A_CUT, _VERDICTS}
    if any(name not in told or _lost(known[name], before["known"][name]) for name in changed):
        return Look(made, changed, None)
    return Look(made, changed, frozenset(cut_id for row in rows for cut_id in row.cut_ids or ()))


def _parsed(mark: str | None, tables: Sequence[str]) -> dict[str, Any] | None:
    stored: dict[str, Any] | None = json.loads(mark) if mark else None
    return stored if stored is not None and set(stored["known"]) == set(tables) else None


def _lost(now: list[Any], before: list[Any]) -> bool:
    """Whether a table has fewer rows than before: a cut lost something, and none says which."""
    return bool(now[0] < before[0])


def _asked(table: str) -> str:
    fresh = "age(xmin) <= age(CAST(CAST(:since AS text) AS xid))"
    rows, cut_ids, hashed, of = "count(*)", "NULL::int[]", "NULL::text", table
    if table in _OF_A_CUT:
        cut_ids = f"array_agg({_OF_A_CUT[table]}) FILTER (WHERE {fresh})"
    elif table == _PROFILES:
        # Every import writes its file's hash here, whatever it changed: only the rest of the row counts.
        fresh = "FALSE"
        hashed = (
            "md5(string_agg((to_jsonb(p) - '{source_path,source_sha256,updated_at}'::text[])::text, ',' "
            "ORDER BY project_id))"
        )
        of = f"{table} p"
    elif table == _VERDICTS:
        rows, cut_ids = "0", f"array_agg(cut_id) FILTER (WHERE {fresh})"
        of = (
            f"(SELECT v.xmin, t.cut_id FROM {table} v JOIN studio.takes t USING (job_id) WHERE v.id > "
            f"(SELECT COALESCE(max(id), 0) - {_NEWEST_VERDICTS} FROM {table})) newest"
        )
    elif table not in _OF_MANY:
        raise ValueError(f"nobody watches {table}")
    return (
        f"SELECT '{table}' AS name, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xid, "
        f"{rows} AS rows, count(*) FILTER (WHERE {fresh}) AS fresh, {cut_ids} AS cut_ids, "
        f"{hashed} AS print FROM {of}"
    )
