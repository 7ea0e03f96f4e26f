"""What ``production.yaml`` may say: one project with its bible, characters, episodes, scenes and cuts.

These are values as a person writes them, with names for references (a cut names its characters). Lengths are
frames, colours ``#rrggbb``; picture paths are relative to the file.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, PrivateAttr

from anime_pipeline.story.context import CutKind, SeedPolicy
from anime_pipeline.story.entries import (
    Color,
    Entry,
    Fps,
    Frames,
    Name,
    PicturePath,
    Seed,
    ShortEntry,
    ShortName,
    Weight,
)
from anime_pipeline.story.keys import MAX_CUT, MAX_EPISODE, MAX_SCENE, SLUG_PATTERN
from anime_pipeline.story.pictures import Source

STILL_SECONDS = 2
PICTURE_FIELDS = ("reference_image", "image", "background_image", "first_frame", "last_frame")


class WorkflowsEntry(Entry):
    """The project's workflow template for each kind of cut; a cut may name another."""

    still: ShortName | None = None
    loop: ShortName | None = None
    video: ShortName | None = None


class ModelsEntry(Entry):
    """The project's model file for each kind of cut, where it is not the workflow's own."""

    still: Name | None = None
    loop: Name | None = None
    video: Name | None = None


class WeightsEntry(Entry):
    """How much each metric counts when the takes of a cut are compared; unset: the product's default."""

    aesthetic: Weight | None = None
    continuity: Weight | None = None
    dynamic_degree: Weight | None = None
    face_similarity: Weight | None = None
    generation_seconds: Weight | None = None
    loop_closure: Weight | None = None
    media_contract: Weight | None = None
    motion_smoothness: Weight | None = None
    palette_adherence: Weight | None = None
    reproducible: Weight | None = None
    shot_changes: Weight | None = None
    style_adherence: Weight | None = None
    subject_consistency: Weight | None = None
    temporal_flicker: Weight | None = None
    temporal_lpips: Weight | None = None


class SelectionEntry(Entry):
    """How the best of a cut's takes is told."""

    weights: WeightsEntry = WeightsEntry()


class RetentionEntry(Entry):
    """Which losing takes `takes prune` may free the media of; unset, it asks for it on the command line."""

    keep: int | None = Field(None, ge=1, le=1000, description="So many newest takes of each cut stay.")
    older_than_days: int | None = Field(None, ge=0, le=36_500, description="Younger takes stay.")


class BudgetEntry(Entry):
    """What a cut may spend on takes that nobody asked for; unset: the product's default."""

    attempts: int | None = Field(None, ge=1, le=100, description="Tries at rendering one take.")
    gpu_seconds: float | None = Field(
        None, ge=0, le=10_000_000, description="GPU seconds, after which no retake begins by itself."
    )
    retakes: int | None = Field(None, ge=0, le=100, description="Retakes that begin by themselves.")


class ProjectEntry(Entry):
    """The production as a whole."""

    slug: str = Field(pattern=f"^{SLUG_PATTERN}$", description="Its name in keys, such as lantern-post.")
    name: Name
    type: ShortName = "anime"
    description: str = ""
    resolution: str = Field(pattern=r"^[0-9]{2,4}x[0-9]{2,4}$", description="Width x height, as 1280x720.")
    fps: Fps = 24
    workflows: WorkflowsEntry = WorkflowsEntry()
    models: ModelsEntry = ModelsEntry()
    identity_backend: Literal["arcface", "ccip"] = "ccip"
    selection: SelectionEntry = SelectionEntry()
    retention: RetentionEntry = RetentionEntry()
    seed_policy: SeedPolicy = Field("derived", description="How the seeds of a cut's takes are chosen.")
    budget: BudgetEntry = BudgetEntry()

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.resolution.split("x")[0])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.resolution.split("x")[1])


class BibleEntry(Entry):
    """The story bible: what every picture of the production shares. An edit makes a new version."""

    art_style: str = ""
    color_palette: dict[str, Color] = Field({})
    character_design_rules: str = ""
    world_building_notes: str = ""
    technical_requirements: dict[str, Any] = Field({})
    negative_prompt: str = ""
    global_seed: Seed = 0
    line_weight: str = ""
    shading_style: str = ""
    mood_keywords: list[str] = Field([])
    setting_description: str = ""
    time_period: str = ""
    narrative_themes: list[str] = Field([])


class AttributeEntry(Entry):
    """One trait of a character; the higher priority comes first in prompts."""

    type: ShortName
    value: str = Field(min_length=1)
    prompt_tokens: list[str] = Field([])
    priority: int = Field(0, ge=-1_000_000, le=1_000_000)


class ModifiersEntry(Entry):
    """What a variation does to a character's prompt, and the attributes that it replaces."""

    prepend: list[str] = Field([])
    append: list[str] = Field([])
    attributes: dict[str, str] = Field({})


class VariationEntry(Entry):
    """An outfit, expression, pose or age of a character."""

    name: Name
    type: Literal["outfit", "expression", "pose", "age_variant"]
    prompt_modifiers: ModifiersEntry = ModifiersEntry()
    reference_image: PicturePath | None = None


class AnchorEntry(Entry):
    """An approved reference picture of a character."""

    name: Name
    type: Literal["pose_reference", "expression_reference", "style_anchor"]
    image: PicturePath
    description: str = ""


class CharacterEntry(Entry):
    """A character; names are unique in an installation."""

    name: Name
    description: str = ""
    attributes: list[AttributeEntry] = Field([])
    base_prompt: str = ""
    negative_tokens: list[str] = Field([])
    lora_model_path: str | None = Field(
        None, min_length=1, max_length=500, description="Its LoRA, as the render server names the file."
    )
    variations: list[VariationEntry] = Field([])
    anchors: list[AnchorEntry] = Field([])


class CastEntry(Entry):
    """A character in a scene. ``costume_variant`` names one of its variations; the feeling is free text."""

    character: Name
    role: ShortName | None = None
    costume_variant: Name | None = None
    emotional_state: ShortName | None = None
    position: str | None = None


class CutCastEntry(ShortEntry):
    """A character of the scene's cast that shows in the cut, with what differs from the scene."""

    character: Name
    variation: Name | None = None
    expression: ShortName | None = None
    position: str | None = None

    @classmethod
    def written_out(cls, value: object) -> object:
        """``Mika`` is the character as in the scene."""
        return {"character": value} if isinstance(value, str) else value


class LineEntry(ShortEntry):
    """A spoken line; frames count from the start of the cut, the end is exclusive.

    Without them the line gets its share of the cut by the length of its text.
    """

    short_forms: ClassVar[list[dict[str, Any]]] = [
        {"type": "string"},
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": {"type": "string"},
        },
    ]

    speaker: Name
    text: str = Field(min_length=1)
    start: int | None = Field(None, ge=0)
    end: int | None = Field(None, ge=1)
    off_screen: bool = Field(False, description="The speaker is heard and not seen.")

    @classmethod
    def written_out(cls, value: object) -> object:
        """``Mika: hello`` is Mika's line, with quotes around it (a text) or without (a single key)."""
        if isinstance(value, dict) and len(value) == 1 and not value.keys() & cls.model_fields.keys():
            [(speaker, words)] = value.items()
            return {"speaker": speaker, "text": words}
        if not isinstance(value, str):
            return value
        speaker, colon, words = value.partition(":")
        if not (colon and speaker.strip() and words.strip()):
            raise ValueError("a line of dialogue names its speaker: write 'Mika: hello'")
        return {"speaker": speaker.strip(), "text": words.strip()}


class CutEntry(Entry):
    """One shot. ``duration_frames`` is a still's time on screen, a loop's one cycle, a video's length."""

    number: int = Field(ge=0, le=MAX_CUT)
    description: str = ""
    camera_angle: str = Field("", max_length=100)
    kind: CutKind
    duration_frames: Frames | None = Field(None, description="Needed for loops and videos.")
    repeats: int = Field(1, ge=1, le=1000, description="How often a loop plays in the film.")
    fps: Fps | None = None
    cast: list[CutCastEntry] | None = Field(None, description="Unset: everyone of the scene's cast.")
    dialogue: list[LineEntry] = Field([])
    action_notes: str = ""
    workflow: ShortName | None = None
    first_frame: PicturePath | None = Field(None, description="The picture that the cut begins with.")
    last_frame: PicturePath | None = Field(None, description="The picture that the cut ends with.")
    continues: bool = Field(False, description="It begins with the last frame of the cut before it.")
    continuous: bool | None = Field(
        None, description="Its takes are compared by how they follow the cut before; unset: as the scene."
    )
    takes: int = Field(1, ge=1, le=64)
    lip_flap: bool | None = Field(None, description="Mouths move with the dialogue; unset: not in stills.")
    seed: Seed | None = None
    seed_policy: SeedPolicy | None = Field(None, description="Unset: the project's.")
    budget: BudgetEntry = Field(BudgetEntry(), description="What is unset here is as the project says.")

    def frames(self, project_fps: int) -> int:
        """``duration_frames``, which for a still defaults to two seconds."""
        return self.duration_frames or STILL_SECONDS * (self.fps or project_fps)

    @property
    def moves_lips(self) -> bool:
        """``lip_flap`` with its default."""
        return self.kind != "still" if self.lip_flap is None else self.lip_flap


class SceneEntry(Entry):
    """A place and time with the characters who are there."""

    number: int = Field(ge=0, le=MAX_SCENE)
    name: str = Field("", max_length=255)
    description: str = ""
    location: str = Field("", max_length=255)
    time_of_day: str = Field("", max_length=50)
    mood: str = Field("", max_length=100)
    style_overrides: dict[str, str] = Field({})
    background_image: PicturePath | None = None
    continuous: bool = Field(
        False, description="Its cuts follow one another without a jump; it decides no pixel."
    )
    cast: list[CastEntry] = Field([])
    cuts: list[CutEntry] = Field([])


class EpisodeEntry(Entry):
    """An episode and its scenes."""

    number: int = Field(ge=0, le=MAX_EPISODE)
    title: str = Field("", max_length=255)
    synopsis: str = ""
    target_duration_seconds: int | None = Field(None, ge=1, le=100_000)
    scenes: list[SceneEntry] = Field([])


class Production(Entry):
    """A whole production file. ``source`` knows the file and its pictures, where it came from one."""

    project: ProjectEntry
    bible: BibleEntry = BibleEntry()
    characters: list[CharacterEntry] = Field([])
    episodes: list[EpisodeEntry] = Field([])

    _source: Source = PrivateAttr(default_factory=Source)

    @property
    def source(self) -> Source:
        """The file that the production was read from."""
        return self._source

    def read_from(self, source: Source) -> Production:
        """The same production, knowing its source."""
        copy = self.model_copy()
        copy._source = source
        return copy


def production_json_schema() -> dict[str, Any]:
    """JSON Schema of ``production.yaml``, for editors that complete and check as one writes."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Production.model_json_schema()}
