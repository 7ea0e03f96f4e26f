"""Stored cuts as a shot list says them; what comes out and goes in again unedited changes nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Project, ProjectProfile
from anime_pipeline.story.keys import CutKey, EpisodeKey, SceneKey, parse_scope
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.story.shot_cells import cell_of, guarded
from anime_pipeline.story.shot_list import COLUMNS, KEY_COLUMNS, SCENE_TEXTS
from anime_pipeline.story.stored import Stored, load_stored
from anime_pipeline.story.wanted import Key, Values, empty_rows

Shot = dict[str, Any]

CAST_KEY = 3
"""The length of a scene's number and a character's name; a longer key is of a row that is there twice."""
BYTE_ORDER_MARK = "\ufeff"


def named_project(session: Session, slug: str | None) -> tuple[str, Project]:
    """The project of that slug; without one, the only project that there is, and its slug.

    Raises :class:`StoryError` where it cannot be told, with the projects that there are.
    """
    query = select(ProjectProfile.slug, Project).join(Project, Project.id == ProjectProfile.project_id)
    known = {row[0]: row[1] for row in session.execute(query.order_by(ProjectProfile.slug))}
    if slug is None and len(known) == 1:
        [slug] = known
    if slug in known:
        return slug, known[slug]
    asked = "Which project is the shot list of?" if slug is None else f"There is no project {slug}."
    hint = f"Name one of {', '.join(known)}: shots SLUG, or import FILE --project SLUG."
    hint = hint if known else "Bring its production file in first."
    raise StoryError(asked, hint)


def shots_of(session: Session, scope: str | None) -> list[Shot]:
    """The active cuts of a project, episode, scene or cut in story order, as values by column.

    Without a scope those of the only project. A scene's columns stand in its first cut. Raises
    :class:`StoryError` where there is none.
    """
    asked = parse_scope(scope) if scope is not None else None
    key: Key = ()
    if isinstance(asked, EpisodeKey):
        key = (asked.episode,)
    elif isinstance(asked, SceneKey):
        key = (asked.episode, asked.scene)
    elif isinstance(asked, CutKey):
        key = (asked.episode, asked.scene, asked.cut)
    slug, project = named_project(session, scope.partition(".")[0] if scope else None)
    stored = load_stored(session, slug, project.name, (), empty_rows())
    cuts = stored.rows["cut"]
    active = [
        one
        for one, values in cuts.items()
        if values["kind"]
        and not values["omitted"]
        and one[: len(key)] == key
        and len(one) == len(KEY_COLUMNS)
    ]
    if not active:
        raise StoryError(
            f"There is no active cut in {scope or slug}.", "anime-pipeline status lists the cuts"
        )
    said = Said(stored)
    shots: list[Shot] = []
    told: set[Key] = set()
    for one in sorted(active):
        scene = one[:2]
        shot = dict(zip(KEY_COLUMNS, one, strict=True)) | said.cut(one)
        shots.append(shot if scene in told else shot | said.scene(scene))
        told.add(scene)
    return shots


def shot_csv(shots: Sequence[Shot], delimiter: str = ",") -> str:
    """Shots as the text of a CSV file that spreadsheets open as it is meant."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([guarded(cell_of(name, shot.get(name))) for name in COLUMNS] for shot in shots)
    return BYTE_ORDER_MARK + out.getvalue()


class Said:
    """What is stored, by column and as production.yaml says it."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._fps = stored.rows["project"][()]["fps"]
        self._casts: dict[Key, list[Values]] = {}
        ids = stored.ids["cast"]
        for key in sorted((key for key in ids if len(key) == CAST_KEY), key=ids.__getitem__):
            self._casts.setdefault(key[:2], []).append(_member(key[2], stored.rows["cast"][key]))

    def cut(self, key: Key) -> Values:
        """A cut, without what it would be anyway."""
        cut = self._stored.rows["cut"][key]
        everyone = [{"character": member["character"]} for member in self.cast(key[:2])]
        continues = bool(cut["continues"])
        same = ("kind", "duration_frames", "camera_angle", "description", "action_notes", "workflow", "seed")
        values = {name: cut[name] for name in (*same, "seed_policy", "budget")}
        values |= {
            "cast": cut["cast"] or [] if (cut["cast"] or []) != everyone else None,
            "dialogue": cut["dialogue"] or None,
            "repeats": _unless(cut["repeats"], 1),
            "takes": _unless(cut["takes_wanted"], 1),
            "fps": _unless(cut["fps"], self._fps),
            "lip_flap": _unless(cut["lip_flap"], cut["kind"] != "still"),
            "continues": _unless(continues, False),
            "continuous": _unless(bool(cut["continuous"]), continues),
        }
        return {name: value for name, value in values.items() if value not in (None, "", {})}

    def scene(self, key: Key) -> Values:
        """A scene, as far as something is said of it."""
        scene = self._stored.rows["scene"][key]
        values = {f"scene_{name}": scene[name] for name in SCENE_TEXTS} | {"scene_cast": self.cast(key)}
        return {name: value for name, value in values.items() if value}

    def cast(self, scene: Key) -> list[Values]:
        """A scene's cast, in the order in which it was written."""
        return self._casts.get(scene, [])


def _member(name: str, row: Values) -> Values:
    said = {**row, "position": row["position_notes"]}
    del said["position_notes"]
    return {"character": name, **{key: value for key, value in said.items() if value}}


def _unless(value: Any, default: Any) -> Any:
    return None if value == default else value
