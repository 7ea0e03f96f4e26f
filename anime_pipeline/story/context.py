"""A cut and everything of the story that shows in it, as plain values: what recipes are composed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

CutKind = Literal["still", "loop", "video"]
SeedPolicy = Literal["derived", "sequential", "random", "fixed"]


@dataclass(frozen=True)
class Attribute:
    """One trait of a character, such as ``hair`` = ``short teal bob``; a higher priority comes first."""

    type: str
    value: str
    prompt_tokens: tuple[str, ...] = ()
    priority: int = 0


@dataclass(frozen=True)
class Variation:
    """An outfit, expression, pose or age of a character.

    ``prompt_modifiers`` has the optional keys ``prepend``, ``append`` (lists of tokens) and ``attributes``
    (attribute type → value that replaces the character's own while the variation is worn).
    ``reference_sha256`` names the reference picture in the media store.
    """

    name: str
    type: str
    prompt_modifiers: dict[str, object] = field(default_factory=dict)
    reference_sha256: str | None = None


@dataclass(frozen=True)
class Figure:
    """A character as it appears in one cut.

    ``pose_sha256`` is the anchor that shows its pose, ``lora`` the file that teaches a model its looks.
    """

    character_id: int
    name: str
    attributes: tuple[Attribute, ...]
    outfit: Variation | None = None
    expression: Variation | None = None
    emotional_state: str | None = None
    position: str | None = None
    role: str | None = None
    base_prompt: str | None = None
    negative_tokens: tuple[str, ...] = ()
    anchor_sha256s: tuple[str, ...] = ()
    pose_sha256: str | None = None
    lora: str | None = None


@dataclass(frozen=True)
class DialogueLine:
    """A spoken line; ``start_frame`` and ``end_frame`` are within the cut, end exclusive."""

    speaker: str
    text: str
    start_frame: int
    end_frame: int


@dataclass(frozen=True)
class Bible:
    """The project's newest story bible. ``color_palette`` maps a name to ``#rrggbb``."""

    version: int
    art_style: str
    color_palette: dict[str, str]
    character_design_rules: str
    world_building_notes: str
    negative_prompt: str
    global_seed: int
    line_weight: str = ""
    shading_style: str = ""
    mood_keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Direction:
    """One thing that a person's retake asks of a cut: a ``field`` of story.directions.FIELDS.

    ``character`` is whom a variation or an expression is for, None for all else. The value of a seed is a
    number, all others are texts.
    """

    retake_id: int
    field: str
    value: str | int
    character: str | None = None


@dataclass(frozen=True)
class CutContext:
    """One cut with its project, bible, scene and cast. Colours are ``#rrggbb``, lengths are frames.

    ``duration_frames`` is how long a still stays on screen, one cycle of a loop, the length of a video; a
    loop plays ``repeats`` times. Dialogue is timed within ``film_frames``. ``model`` is the project's model
    file for this kind of cut; the frames' sha256s name the pictures that the cut begins and ends with.
    A cut that ``continues`` begins with the last frame of the one before it in its scene; one that is
    ``continuous`` should look as if it did, which decides no pixel. ``seed_key`` is what
    its seeds are drawn from: its key, or the one that it had before it was given another number.
    ``seed_policy`` is the cut's own where ``has_own_seed_policy``, else the project's; ``drawn_seed`` is what
    was drawn for it, for policy random. What ``directions`` ask is in the other fields already;
    ``impossible`` says why one of them cannot be followed.
    """

    cut_id: int
    cut_key: str
    scene_key: str
    episode_key: str
    project_id: int
    project_slug: str
    kind: CutKind
    width: int
    height: int
    fps: int
    duration_frames: int
    workflow: str
    takes_wanted: int
    description: str
    camera_angle: str
    action_notes: str
    location: str
    time_of_day: str
    mood: str
    style_overrides: dict[str, str]
    bible: Bible
    figures: tuple[Figure, ...]
    dialogue: tuple[DialogueLine, ...]
    lip_flap: bool
    seed: int | None
    background_sha256: str | None
    repeats: int = 1
    model: str | None = None
    first_frame_sha256: str | None = None
    last_frame_sha256: str | None = None
    continues: bool = False
    continuous: bool = False
    negative_prompt: str = ""
    seed_key: str = ""
    seed_policy: SeedPolicy = "derived"
    has_own_seed_policy: bool = False
    drawn_seed: int = 0
    directions: tuple[Direction, ...] = ()
    impossible: str | None = None

    @property
    def rendered_frames(self) -> int:
        """Frames that a take of the cut has: one for a still."""
        return 1 if self.kind == "still" else self.duration_frames

    @property
    def film_frames(self) -> int:
        """Frames that the cut takes up in a film."""
        return self.duration_frames * self.repeats
