"""Projects and story bibles as the API shows and takes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from anime_pipeline.database.models import Project, ProjectProfile, StoryBible
from anime_pipeline.story.crosschecks import NEGATIVE_KEY, can_be_filmed
from anime_pipeline.story.entries import Color, Fps, Seed
from anime_pipeline.story.keys import SLUG_PATTERN
from anime_pipeline.story.loader import palette_of
from anime_pipeline.web.schemas import Body, Json, Model, Name, Short, Storable, Text, Tokens, Update, Utc


def _filmable(resolution: str) -> str:
    width, height = map(int, resolution.split("x"))
    if not can_be_filmed(width, height):
        raise ValueError("each side must be even and between 16 and 8192, as in 1280x720")
    return resolution


def _without_negative(requirements: dict[str, Any]) -> dict[str, Any]:
    if NEGATIVE_KEY in requirements:
        raise ValueError(f"{NEGATIVE_KEY} has its own place beside technical_requirements")
    return requirements


Resolution = Annotated[
    str,
    Field(pattern=r"^[0-9]{2,4}x[0-9]{2,4}$", description="Width x height in pixels.", examples=["1280x720"]),
    AfterValidator(_filmable),
]
Slug = Annotated[
    str,
    Field(pattern=f"^{SLUG_PATTERN}$", description="Its name in keys.", examples=["lantern-post"]),
]
Status = Annotated[str, Field(min_length=1, max_length=50, examples=["active"]), Storable]
Identity = Literal["ccip", "arcface"]


class OfKinds(Body):
    """A name for each kind of cut, where the project has one of its own."""

    still: Short | None = None
    loop: Short | None = None
    video: Short | None = None


class ProjectCreate(Body):
    """A new project. Without a slug it gets one that is like its name."""

    name: Name = Field(examples=["The Lantern Post"])
    description: Text = ""
    type: Short = "anime"
    status: Status = "active"
    metadata: Json = Field({})
    slug: Slug | None = None
    resolution: Resolution = "1280x720"
    fps: Fps = 24
    workflows: OfKinds = Field(OfKinds(), description="Workflow templates by kind of cut.")
    models: OfKinds = Field(OfKinds(), description="Model files by kind of cut.")
    identity_backend: Identity = "ccip"


class ProjectUpdate(Update):
    """What is to change; fields that are not sent stay. A slug is given once, since keys are made of it."""

    name: Name = Field("", examples=["The Lantern Post"])
    description: Text = ""
    type: Short = ""
    status: Status = ""
    metadata: Json = Field({})
    slug: Slug = ""
    resolution: Resolution = ""
    fps: Fps = 24
    workflows: OfKinds = OfKinds()
    models: OfKinds = OfKinds()
    identity_backend: Identity = "ccip"


class ProjectShown(Model):
    """A project. Without a slug nothing can be rendered for it: give it one."""

    id: int = Field(examples=[2])
    name: str = Field(examples=["The Lantern Post"])
    description: str | None
    type: str | None = Field(examples=["anime"])
    status: str | None = Field(examples=["active"])
    metadata: dict[str, Any]
    slug: str | None = Field(examples=["lantern-post"])
    resolution: str | None = Field(examples=["1280x720"])
    fps: int | None = Field(examples=[24])
    workflows: dict[str, Any]
    models: dict[str, Any]
    identity_backend: str | None = Field(examples=["ccip"])
    from_file: bool = Field(description="A production file was imported: its next import sets edits back.")
    created_at: Utc | None
    updated_at: Utc | None

    @classmethod
    def of(cls, project: Project, profile: ProjectProfile | None) -> ProjectShown:
        """A project and its formats."""
        return cls(
            id=project.id,
            name=project.name,
            description=project.description,
            type=project.type,
            status=project.status,
            metadata=project.metadata_ or {},
            slug=profile.slug if profile else None,
            resolution=f"{profile.width}x{profile.height}" if profile else None,
            fps=profile.fps if profile else None,
            workflows=profile.workflows if profile else {},
            models=profile.models if profile else {},
            identity_backend=profile.identity_backend if profile else None,
            from_file=profile is not None and profile.source_path is not None,
            created_at=project.created_at,
            updated_at=project.updated_at,
        )


class Bible(Body):
    """A story bible: what every picture of the project shares."""

    art_style_description: Text = Field("", examples=["watercolour, soft ink lines"])
    color_palette: dict[Annotated[str, Storable], Color] = Field({}, examples=[{"sea": "#1f3a4d"}])
    character_design_rules: Text = ""
    world_building_notes: Text = ""
    technical_requirements: Annotated[Json, AfterValidator(_without_negative)] = Field({})
    negative_prompt: Text = Field("", examples=["photo, 3d render"])
    global_seed: Seed = 0
    line_weight: Text = ""
    shading_style: Text = ""
    mood_keywords: Tokens = Field([])
    setting_description: Text = ""
    time_period: Text = ""
    narrative_themes: Tokens = Field([])


class BibleShown(Model):
    """A version of a project's story bible; the highest one counts."""

    id: int
    project_id: int | None
    version: int | None = Field(examples=[3])
    art_style_description: str | None
    color_palette: dict[str, Any]
    character_design_rules: str | None
    world_building_notes: str | None
    technical_requirements: dict[str, Any]
    negative_prompt: str
    global_seed: int | None
    line_weight: str | None
    shading_style: str | None
    mood_keywords: list[str]
    setting_description: str | None
    time_period: str | None
    narrative_themes: list[str]
    created_at: Utc | None

    @classmethod
    def of(cls, bible: StoryBible) -> BibleShown:
        """A stored bible; its negative prompt lies in the technical requirements."""
        requirements = dict(bible.technical_requirements or {})
        negative = str(requirements.pop(NEGATIVE_KEY, None) or "")
        values = {name: getattr(bible, name) for name in cls.model_fields if name != "negative_prompt"}
        values["technical_requirements"] = requirements
        values["color_palette"] = palette_of(bible)
        for name in ("mood_keywords", "narrative_themes"):
            values[name] = values[name] or []
        return cls(negative_prompt=negative, **values)
