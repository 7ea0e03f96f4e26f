"""Schema ``studio``: what the 25 public tables have no place for."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Sequence,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base, Id, Now, Timestamp

lease_tokens = Sequence("lease_tokens", schema="studio", metadata=Base.metadata)


class ProjectProfile(Base):
    """A project's slug and formats, and the file that it was imported from."""

    __tablename__ = "project_profiles"
    __table_args__ = ({"schema": "studio"},)

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    width: Mapped[int]
    height: Mapped[int]
    fps: Mapped[int]
    workflows: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    models: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    identity_backend: Mapped[str] = mapped_column(String(20), server_default="ccip")
    selection: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    retention: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    seed_policy: Mapped[str] = mapped_column(String(10), server_default="derived")
    budget: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    source_path: Mapped[str | None]
    source_sha256: Mapped[str | None] = mapped_column(CHAR(64))
    updated_at: Mapped[Timestamp]


class CutProfile(Base):
    """A cut as its production file says it; ``omitted_at`` is set when it is gone from the file."""

    __tablename__ = "cut_profiles"
    __table_args__ = (
        Index("cut_profiles_project", "project_id", "cut_key", postgresql_where=text("omitted_at IS NULL")),
        Index("cut_profiles_key_prefix", "cut_key", postgresql_ops={"cut_key": "varchar_pattern_ops"}),
        {"schema": "studio"},
    )

    cut_id: Mapped[int] = mapped_column(ForeignKey("cuts.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    cut_key: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[str] = mapped_column(String(10))
    fps: Mapped[int]
    workflow: Mapped[str | None] = mapped_column(String(100))
    takes_wanted: Mapped[int] = mapped_column(server_default=text("1"))
    spec: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    omitted_at: Mapped[datetime | None]
    updated_at: Mapped[Timestamp]
    drawn_seed: Mapped[int] = mapped_column(
        BigInteger,
        server_default=text("(floor((random() * ('9007199254740992'::bigint)::double precision)))::bigint"),
    )


class MediaFile(Base):
    """A file of the media store; ``location`` is relative to the store."""

    __tablename__ = "media_files"
    __table_args__ = ({"schema": "studio"},)

    sha256: Mapped[str] = mapped_column(CHAR(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    suffix: Mapped[str] = mapped_column(String(12))
    bytes: Mapped[int] = mapped_column(BigInteger)
    location: Mapped[str]
    width: Mapped[int | None]
    height: Mapped[int | None]
    frame_count: Mapped[int | None]
    fps: Mapped[float | None]
    created_at: Mapped[Timestamp]


class Recipe(Base):
    """Everything that determines a take's pixels, under its hash."""

    __tablename__ = "recipes"
    __table_args__ = ({"schema": "studio"},)

    recipe_hash: Mapped[str] = mapped_column(CHAR(64), primary_key=True)
    workflow: Mapped[dict[str, Any]]
    inputs: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    models: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    versions: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    template_name: Mapped[str] = mapped_column(String(100))
    template_sha256: Mapped[str] = mapped_column(CHAR(64))
    parameters: Mapped[dict[str, Any] | None]
    created_at: Mapped[Timestamp]


class Take(Base):
    """One requested rendering of a cut: what the row of ``jobs`` has no column for.

    One with ``reproduces_job_id`` renders that take's recipe again, and never stands for its cut. The films
    and frames of one that was pruned go after ``pruned_at``, and are gone at ``media_removed_at``.
    """

    __tablename__ = "takes"
    __table_args__ = (
        UniqueConstraint("cut_id", "take_number"),
        Index("takes_one_selected", "cut_id", unique=True, postgresql_where=text("selected")),
        Index("takes_recipe", "recipe_hash"),
        Index("takes_story", "cut_id", "story_hash"),
        Index(
            "takes_reproduces", "reproduces_job_id", postgresql_where=text("reproduces_job_id IS NOT NULL")
        ),
        Index(
            "takes_being_pruned",
            "job_id",
            postgresql_where=text("pruned_at IS NOT NULL AND media_removed_at IS NULL"),
        ),
        CheckConstraint("reproduces_job_id IS NULL OR NOT selected", name="takes_reproduction_unselected"),
        CheckConstraint("pruned_at IS NULL OR NOT selected", name="takes_pruned_unselected"),
        CheckConstraint(
            "media_removed_at IS NULL OR pruned_at IS NOT NULL", name="takes_removed_when_pruned"
        ),
        {"schema": "studio"},
    )

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    cut_id: Mapped[int] = mapped_column(ForeignKey("cuts.id", ondelete="CASCADE"))
    take_number: Mapped[int]
    recipe_hash: Mapped[str] = mapped_column(CHAR(64), ForeignKey("studio.recipes.recipe_hash"))
    ingredients: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    server_kind: Mapped[str | None] = mapped_column(String(20))
    pixels_sha256: Mapped[str | None] = mapped_column(CHAR(64))
    selected: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[Timestamp]
    reproduces_job_id: Mapped[int | None] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="CASCADE")
    )
    last_frame_sha256: Mapped[str | None] = mapped_column(CHAR(64), ForeignKey("studio.media_files.sha256"))
    pruned_at: Mapped[datetime | None]
    media_removed_at: Mapped[datetime | None]
    variant: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    story_hash: Mapped[str | None] = mapped_column(CHAR(64))


class TakeMedia(Base):
    """A file of a take in its role: film, frame or thumbnail."""

    __tablename__ = "take_media"
    __table_args__ = (Index("take_media_sha256", "sha256"), {"schema": "studio"})

    job_id: Mapped[int] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[str] = mapped_column(String(20), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, server_default=text("0"))
    sha256: Mapped[str] = mapped_column(CHAR(64), ForeignKey("studio.media_files.sha256"))


class RenderLease(Base):
    """Who renders a queue item now; a later lease has a larger token."""

    __tablename__ = "render_leases"
    __table_args__ = (
        Index("render_leases_expiry", "expires_at"),
        Index("render_leases_server", "server_url"),
        {"schema": "studio"},
    )

    queue_id: Mapped[int] = mapped_column(ForeignKey("render_queue.id", ondelete="CASCADE"), primary_key=True)
    token: Mapped[int] = mapped_column(BigInteger, unique=True, server_default=lease_tokens.next_value())
    worker_id: Mapped[str] = mapped_column(String(120))
    server_url: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class RenderAttempt(Base):
    """One try at rendering a take on one server; no ``outcome`` while it runs."""

    __tablename__ = "render_attempts"
    __table_args__ = (Index("render_attempts_job", "job_id"), {"schema": "studio"})

    id: Mapped[Id]
    job_id: Mapped[int] = mapped_column(ForeignKey("studio.takes.job_id", ondelete="CASCADE"))
    queue_id: Mapped[int | None] = mapped_column(ForeignKey("render_queue.id", ondelete="SET NULL"))
    server_url: Mapped[str]
    server_kind: Mapped[str] = mapped_column(String(20))
    prompt_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    token: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=Now)
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    gpu_seconds: Mapped[float | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    error_class: Mapped[str | None] = mapped_column(String(40))
    message: Mapped[str | None]
    environment_hash: Mapped[str | None] = mapped_column(
        CHAR(64), ForeignKey("studio.render_environments.environment_hash")
    )


class RenderEnvironment(Base):
    """What attempts rendered on: server, versions, devices, node classes, model files."""

    __tablename__ = "render_environments"
    __table_args__ = ({"schema": "studio"},)

    environment_hash: Mapped[str] = mapped_column(CHAR(64), primary_key=True)
    facts: Mapped[dict[str, Any]]
    created_at: Mapped[Timestamp]


class Reproduction(Base):
    """The verdict on a take that rendered another one's recipe again."""

    __tablename__ = "reproductions"
    __table_args__ = ({"schema": "studio"},)

    job_id: Mapped[int] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="CASCADE"), primary_key=True
    )
    verdict: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str]
    max_difference: Mapped[int | None]
    changed_share: Mapped[float | None]
    psnr: Mapped[float | None]
    ssim: Mapped[float | None]
    worst_frame: Mapped[int | None]
    difference_sha256: Mapped[str | None] = mapped_column(CHAR(64), ForeignKey("studio.media_files.sha256"))
    environment: Mapped[list[Any]] = mapped_column(server_default="[]")
    created_at: Mapped[Timestamp]


_PROVENANCE = """
    md5(state || '|' || COALESCE(reason, '') || '|' || backend || '|' || backend_version || '|'
    || COALESCE(weights_sha256::text, '') || '|' || COALESCE((details -> 'calibration')::text, ''))::uuid
"""


class Measurement(Base):
    """A metric of a take: measured, not_measurable or unavailable (with ``reason`` and ``remedy``)."""

    __tablename__ = "measurements"
    __table_args__ = (Index("measurements_quality_score", "quality_score_id"), {"schema": "studio"})

    job_id: Mapped[int] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="CASCADE"), primary_key=True
    )
    metric_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    value: Mapped[float | None]
    per_frame: Mapped[list[Any] | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    reason: Mapped[str | None]
    remedy: Mapped[str | None]
    backend: Mapped[str] = mapped_column(String(100))
    backend_version: Mapped[str] = mapped_column(String(100))
    weights_sha256: Mapped[str | None] = mapped_column(CHAR(64))
    settings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    quality_score_id: Mapped[int | None] = mapped_column(ForeignKey("quality_scores.id", ondelete="SET NULL"))
    measured_at: Mapped[Timestamp]
    provenance: Mapped[uuid.UUID] = mapped_column(Computed(_PROVENANCE, persisted=True), deferred=True)


class PhaseMetric(Base):
    """A metric that a phase asks of some kinds of cut; ``comparison`` is at_least, at_most or reported."""

    __tablename__ = "phase_metrics"
    __table_args__ = ({"schema": "studio"},)

    phase: Mapped[str] = mapped_column(String(30), primary_key=True)
    metric_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    gate_name: Mapped[str | None] = mapped_column(
        String(255), ForeignKey("quality_gates.gate_name", onupdate="CASCADE")
    )
    comparison: Mapped[str] = mapped_column(String(10))
    cut_kinds: Mapped[list[str]]


class GateThreshold(Base):
    """A project's own threshold, in place of the one in ``quality_gates``."""

    __tablename__ = "gate_thresholds"
    __table_args__ = ({"schema": "studio"},)

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    gate_name: Mapped[str] = mapped_column(
        String(255), ForeignKey("quality_gates.gate_name", onupdate="CASCADE"), primary_key=True
    )
    threshold_value: Mapped[float]


class GateVerdict(Base):
    """A judgement of a scope in a phase, never changed: a new judgement is a new row."""

    __tablename__ = "gate_verdicts"
    __table_args__ = (
        Index("gate_verdicts_newest", "scope_key", "phase", text("id DESC")),
        Index("gate_verdicts_job", "job_id", text("id DESC"), postgresql_where=text("job_id IS NOT NULL")),
        {"schema": "studio"},
    )

    id: Mapped[Id]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    scope: Mapped[str] = mapped_column(String(10))
    scope_key: Mapped[str] = mapped_column(String(120))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("studio.takes.job_id", ondelete="CASCADE"))
    phase: Mapped[str] = mapped_column(String(30))
    verdict: Mapped[str] = mapped_column(String(12))
    cuts_total: Mapped[int]
    cuts_passed: Mapped[int]
    cuts_failed: Mapped[int]
    cuts_unmeasured: Mapped[int]
    pass_rate: Mapped[float | None]
    wilson_low: Mapped[float | None]
    wilson_high: Mapped[float | None]
    thresholds: Mapped[dict[str, Any]]
    failing: Mapped[list[Any]] = mapped_column(server_default="[]")
    missing: Mapped[list[Any]] = mapped_column(server_default="[]")
    reason: Mapped[str]
    judged_sha256: Mapped[str] = mapped_column(CHAR(64))
    created_at: Mapped[Timestamp]
    judged_cuts: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class Delivery(Base):
    """A reel, master, contact sheet or subtitle file, and the hash of what it was built from."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("deliveries_newest", "scope_key", "kind", text("id DESC")), {"schema": "studio"})

    id: Mapped[Id]
    scope_key: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(20))
    sha256: Mapped[str] = mapped_column(CHAR(64), ForeignKey("studio.media_files.sha256"))
    content_sha256: Mapped[str] = mapped_column(CHAR(64))
    created_at: Mapped[Timestamp]
    overrides: Mapped[list[Any]] = mapped_column(server_default="[]")


class StylePicture(Base):
    """A picture of a project's style, or (``role`` other) of another one that it is told from."""

    __tablename__ = "style_pictures"
    __table_args__ = ({"schema": "studio"},)

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    sha256: Mapped[str] = mapped_column(CHAR(64), ForeignKey("studio.media_files.sha256"), primary_key=True)
    role: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[Timestamp]


class Calibration(Base):
    """What a project's pictures say of identity or style, never changed; the newest of a subject holds."""

    __tablename__ = "calibrations"
    __table_args__ = (
        Index("calibrations_newest", "project_id", "subject", text("id DESC")),
        {"schema": "studio"},
    )

    id: Mapped[Id]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    subject: Mapped[str] = mapped_column(String(10))
    backend: Mapped[str] = mapped_column(String(100))
    weights_sha256: Mapped[str] = mapped_column(CHAR(64))
    references_sha256: Mapped[str] = mapped_column(CHAR(64))
    pictures: Mapped[list[Any]]
    same: Mapped[list[Any]]
    different: Mapped[list[Any]]
    raw: Mapped[dict[str, Any]]
    scale: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    auc: Mapped[float]
    threshold: Mapped[float | None]
    plot_sha256: Mapped[str] = mapped_column(CHAR(64), ForeignKey("studio.media_files.sha256"))
    created_at: Mapped[Timestamp]
