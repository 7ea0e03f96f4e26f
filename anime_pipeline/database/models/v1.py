"""The 13 tables of the first system, with the columns that v2.0 gave to ``characters``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base, Id, Timestamp


class Character(Base):
    """Someone who appears in cuts; ``status`` is draft, approved or archived."""

    __tablename__ = "characters"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(255), unique=True)
    project_id: Mapped[int | None]
    description: Mapped[str | None]
    visual_traits: Mapped[dict[str, Any] | None]
    canonical_hash: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[str | None] = mapped_column(String(50), server_default="draft")
    created_at: Mapped[Timestamp | None]
    updated_at: Mapped[Timestamp | None]
    metadata_: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    reference_embedding: Mapped[bytes | None]
    color_palette: Mapped[dict[str, Any] | None]
    base_prompt: Mapped[str | None]
    negative_tokens: Mapped[list[str] | None]
    lora_model_path: Mapped[str | None] = mapped_column(String(500))


class CharacterAnchor(Base):
    """An approved reference picture: pose_reference, expression_reference, style_anchor or face_reference."""

    __tablename__ = "character_anchors"

    id: Mapped[Id]
    character_id: Mapped[int | None] = mapped_column(ForeignKey("characters.id", ondelete="CASCADE"))
    anchor_type: Mapped[str] = mapped_column(String(50))
    anchor_name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    image_path: Mapped[str]
    face_embedding: Mapped[bytes | None]
    clip_embedding: Mapped[bytes | None]
    generation_params: Mapped[dict[str, Any] | None]
    quality_score: Mapped[float | None]
    aesthetic_score: Mapped[float | None]
    created_at: Mapped[Timestamp | None]
    metadata_: Mapped[dict[str, Any] | None] = mapped_column("metadata")


class FaceEmbedding(Base):
    """The face in an anchor, as one backend (``embedding_type``) sees it: float32, little-endian."""

    __tablename__ = "face_embeddings"

    id: Mapped[Id]
    character_id: Mapped[int | None] = mapped_column(ForeignKey("characters.id", ondelete="CASCADE"))
    anchor_id: Mapped[int | None] = mapped_column(ForeignKey("character_anchors.id", ondelete="CASCADE"))
    embedding_type: Mapped[str] = mapped_column(String(50))
    embedding_vector: Mapped[bytes]
    face_bbox: Mapped[dict[str, Any] | None]
    face_landmarks: Mapped[dict[str, Any] | None]
    confidence_score: Mapped[float | None]
    created_at: Mapped[Timestamp | None]


class GenerationConsistency(Base):
    """How well a generated picture kept to its character, as the earlier system judged."""

    __tablename__ = "generation_consistency"

    id: Mapped[Id]
    character_id: Mapped[int | None] = mapped_column(ForeignKey("characters.id", ondelete="CASCADE"))
    generation_request_id: Mapped[str | None] = mapped_column(String(255))
    output_image_path: Mapped[str]
    face_similarity_score: Mapped[float | None]
    style_similarity_score: Mapped[float | None]
    aesthetic_score: Mapped[float | None]
    overall_consistency_score: Mapped[float | None]
    quality_gates_passed: Mapped[bool | None] = mapped_column(server_default=text("false"))
    validation_status: Mapped[str | None] = mapped_column(String(50), server_default="pending")
    improvement_suggestions: Mapped[list[str] | None]
    created_at: Mapped[Timestamp | None]
    metadata_: Mapped[dict[str, Any] | None] = mapped_column("metadata")


class QualityGate(Base):
    """A named threshold; its name's ending says which side passes. The one place of thresholds."""

    __tablename__ = "quality_gates"

    id: Mapped[Id]
    gate_name: Mapped[str] = mapped_column(String(255), unique=True)
    gate_type: Mapped[str] = mapped_column(String(100))
    threshold_value: Mapped[float]
    is_active: Mapped[bool | None] = mapped_column(server_default=text("true"))
    description: Mapped[str | None]
    created_at: Mapped[Timestamp | None]
    metadata_: Mapped[dict[str, Any] | None] = mapped_column("metadata")


class StyleConsistency(Base):
    """A style element that a character's pictures are to keep."""

    __tablename__ = "style_consistency"

    id: Mapped[Id]
    character_id: Mapped[int | None] = mapped_column(ForeignKey("characters.id", ondelete="CASCADE"))
    style_element: Mapped[str] = mapped_column(String(100))
    reference_description: Mapped[str | None]
    validation_prompt: Mapped[str | None]
    consistency_threshold: Mapped[float | None] = mapped_column(server_default=text("0.85"))
    created_at: Mapped[Timestamp | None]


class IPAdapterConfig(Base):
    """Settings of an IP-Adapter for a character."""

    __tablename__ = "ipadapter_configs"

    id: Mapped[Id]
    config_name: Mapped[str] = mapped_column(String(255), unique=True)
    character_id: Mapped[int | None] = mapped_column(ForeignKey("characters.id", ondelete="CASCADE"))
    model_path: Mapped[str]
    weight: Mapped[float | None] = mapped_column(server_default=text("1.0"))
    start_at: Mapped[float | None] = mapped_column(server_default=text("0.0"))
    end_at: Mapped[float | None] = mapped_column(server_default=text("1.0"))
    faceid_v2: Mapped[bool | None] = mapped_column(server_default=text("false"))
    weight_v2: Mapped[float | None] = mapped_column(server_default=text("1.0"))
    combine_embeds: Mapped[str | None] = mapped_column(String(50), server_default="concat")
    embeds_scaling: Mapped[str | None] = mapped_column(String(50), server_default="V only")
    is_active: Mapped[bool | None] = mapped_column(server_default=text("true"))
    created_at: Mapped[Timestamp | None]
    config_data: Mapped[dict[str, Any] | None]


class Story(Base):
    """A branching story of the earlier system."""

    __tablename__ = "stories"

    story_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    title: Mapped[str]
    description: Mapped[str | None]
    author: Mapped[str | None] = mapped_column(String(255))
    current_branch: Mapped[str | None] = mapped_column(String(255), server_default="main")
    head_commit: Mapped[str | None] = mapped_column(String(255))
    working_story: Mapped[dict[str, Any] | None]
    metadata_: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    created_at: Mapped[Timestamp | None]
    updated_at: Mapped[Timestamp | None]


class StoryCommit(Base):
    """A state of a story."""

    __tablename__ = "story_commits"

    commit_hash: Mapped[str] = mapped_column(String(255), primary_key=True)
    story_id: Mapped[str | None] = mapped_column(
        String(255), ForeignKey("stories.story_id", ondelete="CASCADE")
    )
    parent_hash: Mapped[str | None] = mapped_column(String(255), ForeignKey("story_commits.commit_hash"))
    author: Mapped[str | None] = mapped_column(String(255))
    message: Mapped[str | None]
    changes: Mapped[dict[str, Any] | None]
    story_snapshot: Mapped[dict[str, Any] | None]
    timestamp: Mapped[datetime | None]


class StoryBranch(Base):
    """A line of commits of a story."""

    __tablename__ = "story_branches"
    __table_args__ = (UniqueConstraint("story_id", "branch_name"),)

    branch_id: Mapped[Id]
    story_id: Mapped[str | None] = mapped_column(
        String(255), ForeignKey("stories.story_id", ondelete="CASCADE")
    )
    branch_name: Mapped[str] = mapped_column(String(255))
    head_commit: Mapped[str | None] = mapped_column(String(255))
    parent_branch: Mapped[str | None] = mapped_column(String(255))
    description: Mapped[str | None]
    created_at: Mapped[Timestamp | None]


class CharacterEvolution(Base):
    """What a commit of a story did to one of its characters."""

    __tablename__ = "character_evolution"

    evolution_id: Mapped[Id]
    story_id: Mapped[str | None] = mapped_column(
        String(255), ForeignKey("stories.story_id", ondelete="CASCADE")
    )
    character_name: Mapped[str] = mapped_column(String(255))
    commit_hash: Mapped[str | None] = mapped_column(String(255), ForeignKey("story_commits.commit_hash"))
    evolution_state: Mapped[dict[str, Any] | None]
    emotional_state: Mapped[dict[str, Any] | None]
    relationships: Mapped[dict[str, Any] | None]
    timestamp: Mapped[datetime | None]


class UserInteraction(Base):
    """What somebody asked of a story."""

    __tablename__ = "user_interactions"

    interaction_id: Mapped[Id]
    story_id: Mapped[str | None] = mapped_column(
        String(255), ForeignKey("stories.story_id", ondelete="CASCADE")
    )
    user_id: Mapped[str | None] = mapped_column(String(255))
    interaction_type: Mapped[str | None] = mapped_column(String(50))
    intent: Mapped[dict[str, Any] | None]
    decision: Mapped[dict[str, Any] | None]
    feedback: Mapped[dict[str, Any] | None]
    timestamp: Mapped[datetime | None]


class UserPreference(Base):
    """What somebody likes and avoids."""

    __tablename__ = "user_preferences"

    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    preferred_styles: Mapped[dict[str, Any] | None]
    avoided_styles: Mapped[dict[str, Any] | None]
    interaction_history: Mapped[dict[str, Any] | None]
    learned_patterns: Mapped[dict[str, Any] | None]
    created_at: Mapped[Timestamp | None]
    updated_at: Mapped[Timestamp | None]
