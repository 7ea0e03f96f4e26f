"""The rows of a difference, written by sets: one statement per table and state, parents before children."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, delete, func, insert, literal, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Base,
    Character,
    CharacterAnchor,
    CharacterAttribute,
    CharacterVariation,
    Cut,
    CutProfile,
    Episode,
    Project,
    ProjectProfile,
    Scene,
    SceneCharacter,
    StoryBible,
)
from anime_pipeline.story.crosschecks import BACKGROUND_KEY, NEGATIVE_KEY
from anime_pipeline.story.difference import Difference, State
from anime_pipeline.story.pictures import Source
from anime_pipeline.story.stored import BIBLE_COLUMNS, Stored
from anime_pipeline.story.wanted import SPEC_FIELDS, Key, Rows, Values, dialogue_text, name_of

_CHARACTER_COLUMNS = ("description", "base_prompt", "negative_tokens", "lora_model_path")
_CUT_COLUMNS = ("description", "camera_angle", "duration_frames", "action_notes")
_PROFILE_COLUMNS = ("kind", "fps", "workflow", "takes_wanted")


class Writing:
    """One import, after its comparison. A ``source`` that is None leaves the project's as it is."""

    def __init__(
        self,
        session: Session,
        slug: str,
        source: Source | None,
        wanted: Rows,
        stored: Stored,
        difference: Difference,
    ) -> None:
        self._session = session
        self._slug = slug
        self._source = source
        self._wanted = wanted
        self._stored = stored
        self._ids = {kind: dict(ids) for kind, ids in stored.ids.items()}
        self._difference = difference

    def write(self) -> None:
        """Write all kinds in an order in which each finds its parents."""
        self._write_project()
        self._write_bible()
        self._write_characters()
        self._write_rows("attribute", CharacterAttribute, self._attribute)
        self._write_rows("variation", CharacterVariation, self._variation)
        self._write_anchors()
        self._write_rows("episode", Episode, self._episode)
        self._write_rows("scene", Scene, self._scene)
        self._write_rows("cast", SceneCharacter, self._member)
        self._write_rows("cut", Cut, self._cut)
        self._write_cut_profiles()
        for kind, model in (
            ("attribute", CharacterAttribute),
            ("variation", CharacterVariation),
            ("cast", SceneCharacter),
        ):
            self._delete(kind, model)

    def _keys(self, kind: str, *states: State) -> list[Key]:
        return [entry.key for entry in self._difference.of(kind, *states)]

    def _ids_of(self, kind: str, *states: State) -> list[int]:
        return [self._ids[kind][key] for key in self._keys(kind, *states)]

    def _rows(
        self, kind: str, row: Callable[[Key, Values], Values], *states: State
    ) -> Iterator[tuple[Key, Values]]:
        return ((key, row(key, self._wanted[kind][key])) for key in self._keys(kind, *states))

    def _write_rows(self, kind: str, model: type[Base], row: Callable[[Key, Values], Values]) -> None:
        added = dict(self._rows(kind, row, "added"))
        if added:
            table_id = _table(model).c.id
            result = self._session.execute(
                insert(model).returning(table_id, sort_by_parameter_order=True), list(added.values())
            )
            self._ids[kind].update(zip(added, result.scalars(), strict=True))
        changed = [(self._ids[kind][key], values) for key, values in self._rows(kind, row, "changed")]
        self._update(model, changed)

    def _update(self, model: type[Base], rows: Sequence[tuple[int, Values]]) -> None:
        if not rows:
            return
        columns: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0][1]}
        table = _table(model)
        statement = update(table).where(table.c.id == bindparam("row_id")).values(columns)
        parameters = [{"row_id": i, **{f"new_{n}": v for n, v in values.items()}} for i, values in rows]
        self._session.connection().execute(statement, parameters)

    def _delete(self, kind: str, model: type[Base]) -> None:
        if ids := self._ids_of(kind, "omitted"):
            self._session.execute(delete(model).where(_table(model).c.id.in_(ids)))

    @property
    def _project_id(self) -> int:
        return self._ids["project"][()]

    def _write_project(self) -> None:
        values = self._wanted["project"][()]
        project = {name: values[name] for name in ("name", "type", "description")}
        if self._stored.project_id is None:
            inserted = self._session.execute(insert(Project).values(project).returning(Project.id))
            self._ids["project"][()] = inserted.scalar_one()
        elif self._keys("project"):
            self._session.execute(
                update(Project).where(Project.id == self._project_id).values(**project, updated_at=func.now())
            )
        profile = {name: value for name, value in values.items() if name not in project}
        profile["slug"] = self._slug
        if self._source is not None:
            profile |= {"source_path": self._source.path, "source_sha256": self._source.sha256}
        statement = upsert(ProjectProfile).values(project_id=self._project_id, **profile)
        # The file's new hash goes in with any change of its content; the date tells of the profile itself.
        dated = {"updated_at": func.now()} if self._keys("project") else {}
        self._session.execute(
            statement.on_conflict_do_update(index_elements=["project_id"], set_={**profile, **dated})
        )

    def _write_bible(self) -> None:
        if not self._keys("bible"):
            return
        values = self._wanted["bible"][()]
        requirements = dict(values["technical_requirements"])
        if values["negative_prompt"]:
            requirements[NEGATIVE_KEY] = values["negative_prompt"]
        row = {name: values[name] for name in BIBLE_COLUMNS}
        version = self._stored.bible_version + 1
        self._session.execute(
            insert(StoryBible).values(
                project_id=self._project_id, version=version, technical_requirements=requirements, **row
            )
        )

    def _write_characters(self) -> None:
        self._write_rows("character", Character, self._character)
        ids = self._ids_of("character", "added", "changed")
        self._mark(Character, ids, {"imported": True, "omitted": False})
        self._set_status(Character, self._returned("character"), "draft")
        omitted = self._ids_of("character", "omitted")
        self._mark(Character, omitted, {"omitted": True})
        self._set_status(Character, omitted, "archived")

    def _write_anchors(self) -> None:
        self._write_rows("anchor", CharacterAnchor, self._anchor)
        ids = self._ids_of("anchor", "added", "changed")
        self._mark(CharacterAnchor, ids, {"imported": True, "omitted": False})
        self._mark(CharacterAnchor, self._ids_of("anchor", "omitted"), {"omitted": True})
        repainted = [
            self._ids["anchor"][entry.key]
            for entry in self._difference.of("anchor", "changed")
            if any(change.field == "image_path" for change in entry.changes)
        ]
        # What was measured on the picture before is not true of the new one.
        unmeasured = dict.fromkeys(
            ("face_embedding", "clip_embedding", "quality_score", "aesthetic_score"), None
        )
        self._update(CharacterAnchor, [(row_id, unmeasured) for row_id in repainted])

    def _returned(self, kind: str) -> list[int]:
        entries = self._difference.of(kind, "changed")
        back = [e for e in entries if any(c.field == "omitted" and c.old for c in e.changes)]
        return [self._ids[kind][entry.key] for entry in back]

    def _mark(self, model: type[Base], ids: list[int], marks: dict[str, bool]) -> None:
        if ids:
            table = _table(model)
            marked = func.coalesce(table.c.metadata, literal({}, JSONB)).op("||")(literal(marks, JSONB))
            self._session.execute(update(table).where(table.c.id.in_(ids)).values(metadata=marked))

    def _set_status(self, model: type[Base], ids: list[int], status: str) -> None:
        if ids:
            table = _table(model)
            self._session.execute(update(table).where(table.c.id.in_(ids)).values(status=status))

    def _write_cut_profiles(self) -> None:
        rows = list(self._rows("cut", self._profile, "added", "changed"))
        if rows:
            statement = upsert(CutProfile)
            names = [name for name in rows[0][1] if name != "cut_id"]
            renewed: dict[str, Any] = {name: statement.excluded[name] for name in names}
            # What no file says of a cut stays: where its number was dealt anew, the key of its seeds.
            kept: Any = CutProfile.spec
            renewed["spec"] = kept.op("||")(statement.excluded.spec)
            renewed |= {"omitted_at": None, "updated_at": func.now()}
            self._session.execute(
                statement.on_conflict_do_update(index_elements=["cut_id"], set_=renewed),
                [values for _, values in rows],
            )
        self._set_status(Cut, self._returned("cut"), "pending")
        omitted = self._ids_of("cut", "omitted")
        self._set_status(Cut, omitted, "omitted")
        if omitted:
            self._session.execute(
                update(CutProfile)
                .where(CutProfile.cut_id.in_(omitted))
                .values(omitted_at=func.now(), updated_at=func.now())
            )

    def _character(self, key: Key, values: Values) -> Values:
        row = {name: values[name] for name in _CHARACTER_COLUMNS}
        return {"name": key[0], "project_id": self._project_id, **row}

    def _attribute(self, key: Key, values: Values) -> Values:
        return {"character_id": self._ids["character"][key[:1]], "attribute_type": key[1], **values}

    def _variation(self, key: Key, values: Values) -> Values:
        return {"character_id": self._ids["character"][key[:1]], "variation_name": key[1], **values}

    def _anchor(self, key: Key, values: Values) -> Values:
        parent = {"character_id": self._ids["character"][key[:1]]}
        row = {name: values[name] for name in ("description", "image_path")}
        return {**parent, "anchor_type": key[1], "anchor_name": key[2], **row}

    def _episode(self, key: Key, values: Values) -> Values:
        return {"project_id": self._project_id, "episode_number": key[0], **values}

    def _scene(self, key: Key, values: Values) -> Values:
        row = dict(values)
        background = row.pop("background_image")
        if background:
            row["style_overrides"] = {**row["style_overrides"], BACKGROUND_KEY: background}
        return {"episode_id": self._ids["episode"][key[:1]], "scene_number": key[1], **row}

    def _member(self, key: Key, values: Values) -> Values:
        parents = {"scene_id": self._ids["scene"][key[:2]], "character_id": self._ids["character"][key[2:]]}
        return {**parents, **values}

    def _cut(self, key: Key, values: Values) -> Values:
        row = {name: values[name] for name in _CUT_COLUMNS}
        row["character_ids"] = [self._ids["character"][(who["character"],)] for who in values["cast"]]
        row["dialogue"] = dialogue_text(values["dialogue"]) or None
        return {"scene_id": self._ids["scene"][key[:2]], "cut_number": key[2], **row}

    def _profile(self, key: Key, values: Values) -> Values:
        row = {name: values[name] for name in _PROFILE_COLUMNS}
        row["spec"] = {name: values[name] for name in SPEC_FIELDS}
        cut_key = name_of(self._slug, "cut", key)
        return {"cut_id": self._ids["cut"][key], "project_id": self._project_id, "cut_key": cut_key, **row}


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table
