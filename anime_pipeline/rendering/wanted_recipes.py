"""The recipes that cuts want, by their names alone: composed where the story is new, else remembered."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from anime_pipeline.cycle_collection import cycle_collection_paused
from anime_pipeline.database.models import ComposedCut, MediaFile
from anime_pipeline.rendering.composer import COMPOSER_SHA256
from anime_pipeline.rendering.continuity import first_frames, load_render_contexts
from anime_pipeline.rendering.ingredients import Ingredients, picture_shas
from anime_pipeline.rendering.planning import picture_suffixes
from anime_pipeline.rendering.recipes import compose_recipe, recipe_hashes, template_of
from anime_pipeline.rendering.templates import TemplateError, TemplateLibrary
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutContext
from anime_pipeline.story.pictures import stored_sha256
from anime_pipeline.story.told import told_cuts

# Whoever finds another remembering leaves it to that one: it is no loss, and nobody waits.
_MAY_REMEMBER = text("""
    SELECT current_setting('transaction_read_only') = 'off'
           AND pg_try_advisory_xact_lock(hashtext('anime_pipeline.composed_cuts'))
""")
_NAMES = tuple(ComposedCut.__table__.columns.keys())
# One statement with one value: what drivers offer for many rows is a statement for each.
_REMEMBER = text(f"""
    INSERT INTO studio.composed_cuts ({", ".join(_NAMES)})
    SELECT {", ".join(_NAMES)}
    FROM json_populate_recordset(CAST(NULL AS studio.composed_cuts), CAST(:rows AS json))
    ON CONFLICT (cut_id) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in _NAMES)}
""")


@dataclass(frozen=True)
class Wanted:
    """A cut with the names of the recipes of its wanted takes, first variant first.

    ``error`` says why it cannot be rendered as it is; there are no names then.
    """

    cut_id: int
    recipe_hashes: tuple[str, ...] = ()
    error: TemplateError | None = None


@cycle_collection_paused()
def wanted_recipes(session: Session, settings: Settings, cut_keys: Collection[str]) -> dict[str, Wanted]:
    """What each of these cuts wants, in the order given; the same as composing all of them.

    A constant number of queries, and one composing for each cut that was told otherwise when it was asked
    about last. Raises :class:`~anime_pipeline.story.mistakes.StoryError` for a key that is not stored.
    """
    told, library = told_cuts(session, cut_keys), TemplateLibrary.of(settings)
    frames = first_frames(session, settings, [key for key, row in told.items() if _goes_on(row)])
    kept = _remembered(session, [row.cut_id for row in told.values()])
    pictures = _known_pictures(session, kept.values())
    found = {
        key: Wanted(row.cut_id, tuple(kept[row.cut_id].recipe_hashes))
        for key, row in told.items()
        if row.cut_id in kept and _holds(kept[row.cut_id], row.sha256, frames.get(key), library, pictures)
    }
    if fresh := [key for key in cut_keys if key not in found]:
        found |= _composed(session, settings, library, fresh, told)
    return {key: found[key] for key in cut_keys}


def ingredients_now(
    session: Session, settings: Settings, cut_keys: Collection[str]
) -> dict[str, Ingredients]:
    """The ingredients of each cut's first wanted recipe as its story is now; of cuts that can be rendered."""
    contexts, library = load_render_contexts(session, settings, cut_keys), TemplateLibrary.of(settings)
    suffixes = picture_suffixes(session, contexts.values())
    return {key: compose_recipe(context, library, suffixes).ingredients for key, context in contexts.items()}


def _goes_on(row: Any) -> bool:
    """As the loader has it: the cut begins where the one before it ends, and with no picture of its own."""
    return bool(row.continues) and stored_sha256(row.first_frame) is None


def _remembered(session: Session, cut_ids: Collection[int]) -> dict[int, Any]:
    # As text: arrays are then read by the driver, not value by value.
    rows = session.execute(
        text("SELECT * FROM studio.composed_cuts WHERE cut_id = ANY(:cut_ids)"), {"cut_ids": list(cut_ids)}
    )
    return {row.cut_id: row for row in rows}


def _known_pictures(session: Session, rows: Iterable[Any]) -> set[str]:
    shas = {name[:64] for row in rows for name in row.pictures}
    query = select(MediaFile.sha256 + MediaFile.suffix).where(MediaFile.sha256.in_(shas))
    return set(session.scalars(query)) if shas else set()


def _holds(
    row: Any, told_sha256: str, first_frame: str | None, library: TemplateLibrary, pictures: set[str]
) -> bool:
    """Whether what is remembered is what composing would give."""
    if (row.told_sha256, row.composer_sha256) != (told_sha256, COMPOSER_SHA256):
        return False
    if row.first_frame_sha256 != first_frame or not pictures.issuperset(row.pictures):
        return False
    try:
        return library.get(row.template_name).sha256 == str(row.template_sha256)
    except TemplateError:
        return False


def _composed(
    session: Session,
    settings: Settings,
    library: TemplateLibrary,
    keys: Collection[str],
    told: Mapping[str, Any],
) -> dict[str, Wanted]:
    contexts = load_render_contexts(session, settings, keys)
    suffixes = picture_suffixes(session, contexts.values())
    found, rows = {}, []
    for key, context in contexts.items():
        try:
            hashes = recipe_hashes(context, library, suffixes)
        except TemplateError as error:
            found[key] = Wanted(context.cut_id, error=error)
            continue
        template = template_of(context, library)
        found[key] = Wanted(context.cut_id, hashes)
        rows.append(
            {
                "cut_id": context.cut_id,
                "told_sha256": told[key].sha256,
                "composer_sha256": COMPOSER_SHA256,
                "template_name": template.name,
                "template_sha256": template.sha256,
                "first_frame_sha256": context.first_frame_sha256 if _goes_on(told[key]) else None,
                "pictures": _pictures(context, suffixes),
                "recipe_hashes": list(hashes),
            }
        )
    # What was told otherwise while it was composed is composed again when it is asked about next.
    again = {row.cut_id: row.sha256 for row in told_cuts(session, keys).values()}
    _remember(session, [row for row in rows if again.get(row["cut_id"]) == row["told_sha256"]])
    return found


def _pictures(context: CutContext, suffixes: Mapping[str, str]) -> list[str]:
    return sorted(f"{sha256}{suffixes[sha256]}" for sha256 in picture_shas(context) if sha256 in suffixes)


def _remember(session: Session, rows: list[dict[str, Any]]) -> None:
    if not rows or not session.scalar(_MAY_REMEMBER):
        return
    session.execute(_REMEMBER, {"rows": json.dumps(rows)})
