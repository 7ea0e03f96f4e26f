"""A shot list as rows: what the database should hold of the sheet's scenes, once all of it is right.

A cut's fields are those that it is stored with and, above them, the cells that say otherwise. So a row that
nobody edited is no change, whatever an earlier system wrote there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy.orm import Session

from anime_pipeline.story.crosschecks import check
from anime_pipeline.story.difference import Difference, difference_between
from anime_pipeline.story.entries import Entry
from anime_pipeline.story.plain import text
from anime_pipeline.story.production import CastEntry, CutEntry, SceneEntry
from anime_pipeline.story.shot_cells import cell_of
from anime_pipeline.story.shot_list import KEY_COLUMNS, SCENE_COLUMNS, ShotList, ShotRow, sheet_errors
from anime_pipeline.story.shot_list_export import Said, named_project
from anime_pipeline.story.stored import Stored, load_stored
from anime_pipeline.story.structure import project_characters
from anime_pipeline.story.wanted import Key, Rows, Values, cut_values, empty_rows, member_values, name_of
from anime_pipeline.story.wording import field_text, words_for
from anime_pipeline.story.yaml_reading import Location

ByKey = dict[Key, Values]
Checked = TypeVar("Checked", bound=Entry)

_NEW_EPISODE: Values = {"title": "", "synopsis": "", "target_duration_seconds": None}
_NEW_SCENE: Values = {
    **dict.fromkeys(("name", "description", "location", "time_of_day", "mood"), ""),
    "duration_frames": 0,
    "style_overrides": {},
    "background_image": None,
}
_SCENE_PLACE: Location = ("episodes", 0, "scenes", 0)


def compared_shots(session: Session, shots: ShotList) -> tuple[Rows, Stored, Difference]:
    """What the sheet asks for, what is stored, and how these differ.

    Raises :class:`ProductionErrors` with every mistake of the sheet, each with its row and column.
    """
    slug, project = named_project(session, shots.slug)
    characters = project_characters(session, project.id)
    named = empty_rows()
    named["episode"] = {row.key[:1]: {} for row in shots.rows}
    stored = load_stored(session, slug, project.name, [one["name"] for one in characters], named)
    sheet = _Sheet(shots, stored, characters)
    wanted = sheet.wanted()
    if sheet.errors:
        raise sheet_errors(sheet.errors)
    return wanted, stored, difference_between(slug, wanted, _concerned(shots, stored, wanted))


def _concerned(shots: ShotList, stored: Stored, wanted: Rows) -> Rows:
    """The stored rows that the sheet speaks of; the rest of the story is left alone."""
    scenes = wanted["scene"]
    whole = {"cast", "cut"} if shots.omits_missing else {"cast"}
    return {
        kind: {
            key: values
            for key, values in rows.items()
            if key in wanted[kind] or (kind in whole and key[:2] in scenes)
        }
        for kind, rows in stored.rows.items()
    }


def _by_scene(rows: ByKey) -> dict[Key, ByKey]:
    scenes: dict[Key, ByKey] = {}
    for key, values in rows.items():
        scenes.setdefault(key[:2], {})[key] = values
    return scenes


class _Sheet:
    """One sheet against what is stored."""

    def __init__(self, shots: ShotList, stored: Stored, characters: list[dict[str, Any]]) -> None:
        self.errors = list(shots.errors)
        self.shots = shots
        self.stored = stored
        self.said = Said(stored)
        self.cuts = _by_scene(stored.rows["cut"])
        self.casts = _by_scene(stored.rows["cast"])
        self._characters = characters
        self._project = stored.rows["project"][()]

    def wanted(self) -> Rows:
        """The rows of the sheet's project, episodes, scenes, their casts and cuts."""
        wanted = empty_rows()
        wanted["project"] = self.stored.rows["project"]
        scenes: dict[Key, list[ShotRow]] = {}
        for row in self.shots.rows:
            scenes.setdefault(row.key[:2], []).append(row)
        for key, rows in scenes.items():
            wanted["episode"][key[:1]] = self.stored.rows["episode"].get(key[:1], _NEW_EPISODE)
            _Scene(self, key, rows).add_to(wanted)
        return wanted

    @property
    def fps(self) -> int:
        """The project's frame rate."""
        return int(self._project["fps"])

    def note(self, row: int, column: str, field: str, message: str, hint: str | None = None) -> None:
        """Note a mistake in a cell."""
        self.errors.append(self.shots.error(row, column, field, message, hint))

    def crosscheck(
        self, key: Key, cast: list[Any], cuts: list[Values]
    ) -> Iterator[tuple[Location, str, Any]]:
        """What a scene and cuts disagree on: place in the scene, message, suggestion."""
        data = {
            "project": {"fps": self.fps, "seed_policy": self._project["seed_policy"]},
            "characters": self._characters,
            "episodes": [{"number": key[0], "scenes": [{"number": key[1], "cast": cast, "cuts": cuts}]}],
        }
        for mistake in check(data).mistakes:
            if mistake.location[:4] == _SCENE_PLACE:
                yield mistake.location[4:], mistake.message, mistake.suggestion


class _Scene:
    """The rows of one scene."""

    def __init__(self, sheet: _Sheet, key: Key, rows: list[ShotRow]) -> None:
        self._sheet, self._key, self._rows = sheet, key, rows
        self._shots, self._said = sheet.shots, sheet.said
        self._stored = sheet.stored.rows["scene"].get(key)
        self._said_by: dict[str, int] = {}
        self._edits = self._edited_scene()

    def add_to(self, wanted: Rows) -> None:
        """Add what the rows ask for, and note what is wrong with them."""
        checked = self._checked(SceneEntry, {"number": self._key[1], **self._edits}, None)
        cast = self._edits.get("cast", self._said.cast(self._key))
        names = [name for member in cast if isinstance(member, dict) and (name := text(member, "character"))]
        # Only cast and continuous are asked of it; they are checked with the rest, or are as they are stored.
        members = [CastEntry.model_construct(character=name) for name in names]
        scene = SceneEntry.model_construct(number=self._key[1], cast=members, continuous=False)
        before = self._sheet.cuts.get(self._key, {})
        edited: list[tuple[ShotRow, Values]] = []
        cuts: dict[Key, Values] = {}
        for row in self._rows:
            old = before.get(row.key)
            fields = self._edited_cut(row, old)
            if old is not None and fields is None:
                cuts[row.key] = old
                continue
            edited.append((row, fields or {}))
            entry = self._checked(CutEntry, {"number": row.key[2], **(fields or {})}, row)
            if entry is not None:
                pictures = {name: old and old[name] for name in ("first_frame", "last_frame")}
                cuts[row.key] = {**cut_values(entry, scene, self._sheet.fps), **pictures}
        others = {} if self._shots.omits_missing else {k: v for k, v in before.items() if k not in cuts}
        self._crosscheck(cast, edited, others if "cast" in self._edits else {})
        wanted["cut"] |= cuts
        wanted["cast"] |= self._cast(checked)
        wanted["scene"][self._key] = self._scene(checked, before, {**others, **cuts})

    def _edited_scene(self) -> Values:
        """The scene's fields that its rows say, where they are not as stored; an empty cell says nothing."""
        stored = self._said.scene(self._key) if self._stored is not None else {}
        edits: Values = {}
        for column in SCENE_COLUMNS:
            said: dict[str, ShotRow] = {}
            for row in self._rows:
                if cell := row.cells.get(column):
                    said.setdefault(cell, row)
            if len(said) > 1:
                first, second, *_ = said.values()
                message = f"row {first.row} says otherwise of the same scene"
                self._sheet.note(second.row, column, column, message, "say it once, in the scene's first row")
            for cell, row in list(said.items())[:1]:
                if cell != cell_of(column, stored.get(column)) and column in row.values:
                    edits[column.removeprefix("scene_")] = row.values[column]
                    self._said_by[column] = row.row
        return edits

    def _edited_cut(self, row: ShotRow, old: Values | None) -> Values | None:
        """All that is said of a cut once the row's cells are edited in; None where none of them is."""
        said = self._said.cut(row.key) if old is not None else {}
        edits = {
            column: value
            for column, value in row.values.items()
            if column not in SCENE_COLUMNS and row.cells[column] != cell_of(column, said.get(column))
        }
        if old is not None and not edits and not old["omitted"] and "cast" not in self._edits:
            return None
        return {name: value for name, value in {**said, **edits}.items() if value is not None}

    def _checked(
        self, model: type[Checked], values: Mapping[str, Any], row: ShotRow | None
    ) -> Checked | None:
        try:
            return model.model_validate(dict(values))
        except ValidationError as error:
            place: Location = _SCENE_PLACE if row is None else (*_SCENE_PLACE, "cuts", 0)
            for one in error.errors(include_url=False):
                location: Location = tuple(one["loc"])
                message, hint = words_for({**one, "loc": (*place, *location)})
                self._note(location, row, message, hint)
            return None

    def _crosscheck(self, cast: list[Any], edited: list[tuple[ShotRow, Values]], others: ByKey) -> None:
        """Check the edited cuts and, where the cast is another, also those that the sheet does not have."""
        standing = {
            key: cut
            for key, cut in others.items()
            if not cut["omitted"] and cut["kind"] and len(key) == len(KEY_COLUMNS)
        }
        cuts = [{"number": row.key[2], **fields} for row, fields in edited]
        cuts += [{**self._said.cut(key), "cast": cut["cast"] or []} for key, cut in standing.items()]
        keys = list(standing)
        for location, message, hint in self._sheet.crosscheck(self._key, cast, cuts):
            if location[0] != "cuts":
                self._note(location, None, message, hint)
            elif (index := int(location[1])) < len(edited):
                self._note(location[2:], edited[index][0], message, hint)
            else:
                cut = name_of(self._shots.slug, "cut", keys[index - len(edited)])
                self._note(("cast",), None, f"{cut} has no row here: {message}", hint)

    def _note(self, location: Location, row: ShotRow | None, message: str, hint: str | None) -> None:
        if row is not None:
            self._sheet.note(
                row.row, str(location[:1][0]) if location else "", field_text(location), message, hint
            )
            return
        column = f"scene_{location[0]}" if location else ""
        at = self._said_by.get(column, self._rows[0].row)
        self._sheet.note(at, column, f"scene_{field_text(location)}", message, hint)

    def _cast(self, checked: SceneEntry | None) -> dict[Key, Values]:
        if "cast" in self._edits:
            members = checked.cast if checked else []
            return {(*self._key, member.character): member_values(member) for member in members}
        return self._sheet.casts.get(self._key, {})

    def _scene(self, checked: SceneEntry | None, before: ByKey, after: ByKey) -> Values:
        scene = dict(_NEW_SCENE if self._stored is None else self._stored)
        if checked is not None:
            scene |= {name: getattr(checked, name) for name in self._edits if name != "cast"}
        if after != before:
            active = [cut for cut in after.values() if not cut["omitted"]]
            scene["duration_frames"] = sum(
                (cut["duration_frames"] or 0) * (cut["repeats"] or 1) for cut in active
            )
        return scene
