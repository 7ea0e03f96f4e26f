"""The 12 tables that v2.0 adds to schema ``public``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base, Id, Seed, Timestamp


class Project(Base):
    """A production: one show, film or clip with its own bible and episodes."""

    __tablename__ = "projects"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str | None]
    type: Mapped[str | None] = mapped_column(String(100), server_default="anime")
    status: Mapped[str | None] = mapped_column(String(50), server_default="active")
    metadata_: Mapped[dict[str, Any] | None] = mapped_column("metadata", server_default="{}")
    created_at: Mapped[Timestamp | None]
    updated_at: Mapped[Timestamp | None]


class StoryBible(Base):
    """A version of a project's rules of looks and world; the highest version counts."""

    __tablename__ = "story_bibles"
    __table_args__ = (UniqueConstraint("project_id", "version"),)

    id: Mapped[Id]
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    version: Mapped[int | None] = mapped_column(server_default=text("1"))
    art_style_description: Mapped[str | None]
    color_palette: Mapped[dict[str, Any] | None]
    character_design_rules: Mapped[str | None]
    world_building_notes: Mapped[str | None]
    technical_requirements: Mapped[dict[str, Any] | None]
    created_at: Mapped[Timestamp | None]
    line_weight: Mapped[str | None]
    shading_style: Mapped[str | None]
    setting_description: Mapped[str | None]
    time_period: Mapped[str | None]
    mood_keywords: Mapped[list[str] | None]
    narrative_themes: Mapped[list[str] | None]
    global_seed: Mapped[int | None] = mapped_column(Seed)
    updated_at: Mapped[Timestamp | None]


class Episode(Base):
    """An episode of a project."""

    __tablename__ = "episodes"
    __table_args__ = (UniqueConstraint("project_id", "episode_number"),)

    id: Mapped[Id]
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    episode_number: Mapped[int]
    title: Mapped[str | None] = mapped_column(String(255))
    synopsis: Mapped[str | None]
    status: Mapped[str | None] = mapped_column(String(50), server_default="pre_production")
    target_duration_seconds: Mapped[int | None]
    created_at: Mapped[Timestamp | None]


class Scene(Base):
    """A scene of an episode: one place at one time of day, in one mood."""

    __tablename__ = "scenes"
    __table_args__ = (UniqueConstraint("episode_id", "scene_number"),)

    id: Mapped[Id]
    episode_id: Mapped[int | None] = mapped_column(ForeignKey("episodes.id", ondelete="CASCADE"))
    scene_number: Mapped[int]
    name: Mapped[str | None] = mapped_column(String(255))
    description: Mapped[str | None]
    location: Mapped[str | None] = mapped_column(String(255))
    time_of_day: Mapped[str | None] = mapped_column(String(50))
    mood: Mapped[str | None] = mapped_column(String(100))
    duration_frames: Mapped[int | None]
    style_overrides: Mapped[dict[str, Any] | None]
    created_at: Mapped[Timestamp | None]


class Cut(Base):
    """One shot; studio.cut_profiles holds the rest of it."""

    __tablename__ = "cuts"
    __table_args__ = (UniqueConstraint("scene_id", "cut_number"),)

    id: Mapped[Id]
    scene_id: Mapped[int | None] = mapped_column(ForeignKey("scenes.id", ondelete="CASCADE"))
    cut_number: Mapped[int]
    description: Mapped[str | None]
    camera_angle: Mapped[str | None] = mapped_column(String(100))
    duration_frames: Mapped[int | None]
    character_ids: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    dialogue: Mapped[str | None]
    action_notes: Mapped[str | None]
    status: Mapped[str | None] = mapped_column(String(50), server_default="pending")
    output_path: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[Timestamp | None]


class Job(Base):
    """A take, where studio.takes has a row for it.

    ``job_type`` is still_image, animation_loop, full_video or character_sheet; ``status`` is pending, queued,
    processing, quality_check, completed, failed, timeout or cancelled.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("idx_jobs_status", "status"),
        Index("idx_jobs_character_id", "character_id"),
        Index("idx_jobs_created_at", "created_at"),
    )

    id: Mapped[Id]
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    character_id: Mapped[int | None] = mapped_column(ForeignKey("characters.id", ondelete="SET NULL"))
    job_type: Mapped[str] = mapped_column(String(100))
    status: Mapped[str | None] = mapped_column(String(50), server_default="pending")
    priority: Mapped[int | None] = mapped_column(server_default=text("0"))
    prompt: Mapped[str | None]
    negative_prompt: Mapped[str | None]
    output_path: Mapped[str | None] = mapped_column(String(500))
    error_message: Mapped[str | None]
    metadata_: Mapped[dict[str, Any] | None] = mapped_column("metadata", server_default="{}")
    created_at: Mapped[Timestamp | None]
    completed_at: Mapped[datetime | None]
    scene_id: Mapped[int | None] = mapped_column(ForeignKey("scenes.id", ondelete="SET NULL"))
    cut_id: Mapped[int | None] = mapped_column(ForeignKey("cuts.id", ondelete="SET NULL"))
    total_frames: Mapped[int | None]
    current_frame: Mapped[int | None]
    started_at: Mapped[datetime | None]


class CharacterAttribute(Base):
    """One trait of a character; a higher priority comes first in the prompt."""

    __tablename__ = "character_attributes"

    id: Mapped[Id]
    character_id: Mapped[int | None] = mapped_column(ForeignKey("characters.id", ondelete="CASCADE"))
    attribute_type: Mapped[str] = mapped_column(String(100))
    attribute_value: Mapped[str]
    prompt_tokens: Mapped[list[str] | None]
    priority: Mapped[int | None] = mapped_column(server_default=text("0"))
    created_at: Mapped[Timestamp | None]


class CharacterVariation(Base):
    """An outfit, expression, pose or age of a character."""

    __tablename__ = "character_variations"

    id: Mapped[Id]
    character_id: Mapped[int | None] = mapped_column(ForeignKey("characters.id", ondelete="CASCADE"))
    variation_name: Mapped[str] = mapped_column(String(255))
    variation_type: Mapped[str | None] = mapped_column(String(100))
    prompt_modifiers: Mapped[dict[str, Any] | None]
    reference_image_path: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[Timestamp | None]


class GenerationParams(Base):
    """What a take was generated with, in the columns that the earlier system's clients read."""

    __tablename__ = "generation_params"
    __table_args__ = (Index("idx_generation_params_job_id", "job_id"),)

    id: Mapped[Id]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    positive_prompt: Mapped[str]
    negative_prompt: Mapped[str | None]
    seed: Mapped[int] = mapped_column(Seed)
    subseed: Mapped[int | None] = mapped_column(Seed)
    model_name: Mapped[str] = mapped_column(String(255))
    model_hash: Mapped[str | None] = mapped_column(String(64))
    vae_name: Mapped[str | None] = mapped_column(String(255))
    sampler_name: Mapped[str | None] = mapped_column(String(100))
    scheduler: Mapped[str | None] = mapped_column(String(100))
    steps: Mapped[int | None]
    cfg_scale: Mapped[float | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    batch_size: Mapped[int | None] = mapped_column(server_default=text("1"))
    n_iter: Mapped[int | None] = mapped_column(server_default=text("1"))
    lora_models: Mapped[list[Any] | None] = mapped_column(server_default="[]")
    controlnet_configs: Mapped[list[Any] | None] = mapped_column(server_default="[]")
    comfyui_workflow: Mapped[dict[str, Any] | None]
    created_at: Mapped[Timestamp | None]
    frame_count: Mapped[int | None] = mapped_column(server_default=text("1"))
    fps: Mapped[int | None] = mapped_column(server_default=text("24"))
    ipadapter_refs: Mapped[list[Any] | None]


class QualityScore(Base):
    """A measured score of a take; studio.measurements also keeps what could not be measured, and why."""

    __tablename__ = "quality_scores"
    __table_args__ = (
        Index("idx_quality_scores_job_id", "job_id"),
        Index("idx_quality_scores_metric_name", "metric_name"),
        Index("idx_quality_scores_passed", "passed"),
    )

    id: Mapped[Id]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    metric_name: Mapped[str] = mapped_column(String(100))
    score_value: Mapped[float]
    threshold_min: Mapped[float | None]
    threshold_max: Mapped[float | None]
    passed: Mapped[bool | None]
    details: Mapped[dict[str, Any] | None]
    created_at: Mapped[Timestamp | None]


class SceneCharacter(Base):
    """A character's part in a scene: its outfit, feeling and place."""

    __tablename__ = "scene_characters"
    __table_args__ = (UniqueConstraint("scene_id", "character_id"),)

    id: Mapped[Id]
    scene_id: Mapped[int | None] = mapped_column(ForeignKey("scenes.id", ondelete="CASCADE"))
    character_id: Mapped[int | None] = mapped_column(ForeignKey("characters.id", ondelete="CASCADE"))
    role: Mapped[str | None] = mapped_column(String(100))
    costume_variant: Mapped[str | None] = mapped_column(String(255))
    emotional_state: Mapped[str | None] = mapped_column(String(100))
    position_notes: Mapped[str | None]
    created_at: Mapped[Timestamp | None]
    entrance_frame: Mapped[int | None] = mapped_column(server_default=text("0"))
    exit_frame: Mapped[int | None]


class RenderQueueItem(Base):
    """A take that waits for a server, or waited."""

    __tablename__ = "render_queue"
    __table_args__ = (
        Index("idx_render_queue_status", "status"),
        Index("idx_render_queue_priority", "priority"),
        Index("idx_render_queue_created_at", "created_at"),
        Index("idx_render_queue_job_id", "job_id"),
    )

    id: Mapped[Id]
    cut_id: Mapped[int | None] = mapped_column(ForeignKey("cuts.id", ondelete="CASCADE"))
    priority: Mapped[int | None] = mapped_column(server_default=text("0"))
    status: Mapped[str | None] = mapped_column(String(50), server_default="queued")
    attempts: Mapped[int | None] = mapped_column(server_default=text("0"))
    max_attempts: Mapped[int | None] = mapped_column(server_default=text("3"))
    error_message: Mapped[str | None]
    render_params: Mapped[dict[str, Any] | None]
    created_at: Mapped[Timestamp | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    worker_id: Mapped[str | None] = mapped_column(String(255))
