"""Bodies of requests that make or change episodes, scenes and cuts: the fields of a production file.

Pictures are named by the sha256 that an upload gave.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from anime_pipeline.story.context import CutKind
from anime_pipeline.story.entries import Fps, Frames, Seed
from anime_pipeline.story.keys import MAX_CUT, MAX_EPISODE, MAX_SCENE
from anime_pipeline.story.production import CastEntry, CutCastEntry, LineEntry
from anime_pipeline.web.schemas import Body, RowId, Update, storable_json

Sha256 = Annotated[
    str, Field(pattern=r"^[0-9a-f]{64}$", description="sha256 of a stored picture, as an upload gives it.")
]
Long = Annotated[str, Field(max_length=20_000)]
Label = Annotated[str, Field(max_length=255)]
Word = Annotated[str, Field(min_length=1, max_length=100)]
RowIds = Annotated[list[RowId], Field(min_length=1, max_length=10_000)]


class _Update(Update):
    """Fields that are not sent stay as they are. Text is what the database can hold, however deep it lies."""

    @model_validator(mode="before")
    @classmethod
    def _all_storable(cls, value: Any) -> Any:
        return storable_json(value)


class EpisodeUpdate(_Update):
    """What of an episode to change; its number changes by the order of a project's episodes."""

    title: Label = Field("", examples=["Rain over the post"])
    synopsis: Long = ""
    target_duration_seconds: Annotated[int, Field(ge=1, le=100_000)] | None = None


class EpisodeCreate(EpisodeUpdate):
    """An episode to be made."""

    number: Annotated[int, Field(ge=0, le=MAX_EPISODE)] | None = Field(
        None, description="Unset: the next one.", examples=[1]
    )


class SceneUpdate(_Update):
    """What of a scene to change; a cast that is sent replaces the one before."""

    name: Label = Field("", examples=["The pier"])
    description: Long = ""
    location: Label = Field("", examples=["harbour"])
    time_of_day: Annotated[str, Field(max_length=50)] = Field("", examples=["dusk"])
    mood: Annotated[str, Field(max_length=100)] = Field("", examples=["calm"])
    style_overrides: Annotated[dict[Word, Long], Field(max_length=50)] = Field({})
    background_image: Sha256 | None = None
    cast: Annotated[list[CastEntry], Field(max_length=100)] = Field([])


class SceneCreate(SceneUpdate):
    """A scene to be made."""

    number: Annotated[int, Field(ge=0, le=MAX_SCENE)] | None = Field(
        None, description="Unset: the next one.", examples=[3]
    )


class CutUpdate(_Update):
    """What of a cut to change. Its takes stay; those whose pixels the change decides become stale."""

    description: Long = Field("", examples=["Mika looks up"])
    camera_angle: Annotated[str, Field(max_length=100)] = Field("", examples=["low angle"])
    kind: CutKind = "still"
    duration_frames: Frames | None = Field(None, description="A still's time on screen, a loop's one cycle.")
    repeats: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="How often a loop plays.")
    fps: Fps | None = Field(None, description="Unset: the project's.")
    cast: Annotated[list[CutCastEntry], Field(max_length=100)] | None = Field(
        None, description="Unset: everyone of the scene's cast."
    )
    dialogue: Annotated[list[LineEntry], Field(max_length=1000)] = Field([])
    action_notes: Long = ""
    workflow: Word | None = None
    first_frame: Sha256 | None = None
    last_frame: Sha256 | None = None
    continues: bool = Field(False, description="It begins with the last frame of the cut before it.")
    continuous: bool | None = Field(None, description="Its takes are compared by how they follow that cut.")
    takes: Annotated[int, Field(ge=1, le=64)] = Field(1, description="How many takes are wanted.")
    lip_flap: bool | None = Field(None, description="Mouths move with the dialogue; unset: not in stills.")
    seed: Seed | None = None


class CutCreate(CutUpdate):
    """A cut to be made; `kind` is needed, and `duration_frames` for loops and videos."""

    number: Annotated[int, Field(ge=0, le=MAX_CUT)] | None = Field(
        None, description="Unset: the next ten.", examples=[40]
    )
    kind: CutKind = Field(examples=["still"])


class CutOrder(Body):
    """A scene's cuts, those that are not omitted, in their new order."""

    cut_ids: RowIds


class SceneOrder(Body):
    """An episode's scenes in their new order."""

    scene_ids: RowIds


class EpisodeOrder(Body):
    """A project's episodes in their new order."""

    episode_ids: RowIds
