"""What workers send to a supervisor, and what a person has it send: the protocol from its other side."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Form(BaseModel):
    """A message of the protocol; unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid")


class GpuInfo(Form):
    """A worker's largest GPU; null is not known."""

    model: str | None
    vram_gb: float | None
    driver: str | None


class Registration(Form):
    """Who a worker is and what it can do."""

    worker_id: str = Field(pattern=r"^anime-worker-[0-9a-f]{8}$")
    worker_type: Literal["anime_renderer"]
    capabilities: list[str]
    callback_url: str = Field(pattern=r"^https?://")
    gpu_info: GpuInfo | None
    max_concurrent_jobs: int = Field(ge=0)
    status: str


class Heartbeat(Form):
    """How a worker is."""

    worker_id: str
    status: Literal["ready", "busy", "degraded", "draining"]
    timestamp: datetime
    reasons: list[str] = []
    busy_with: list[dict[str, Any]] = []
    queue: dict[str, int] = {}
    vram: dict[str, float | None] | None = None


class WorkerEvent(Form):
    """What happened to a job."""

    event_id: uuid.UUID
    event_type: Literal["job.completed", "job.failed", "quality.passed", "quality.failed"]
    task_id: str | None
    job_id: int
    timestamp: datetime
    data: dict[str, Any]


class SubmittedTask(Form):
    """A task for the supervisor."""

    task_id: str
    task_type: str
    project_id: int | str | None = None
    priority: int = 5
    payload: dict[str, Any] = {}
    context: dict[str, Any] = {}
    submitted_by: str | None = None
    submitted_at: datetime | None = None


class Context(Form):
    """What is known of a project's story: any object."""

    model_config = ConfigDict(extra="allow")


class Outgoing(Form):
    """What a person has the supervisor send: an event (``event_type``) or a task (``task_type``)."""

    event_type: str | None = None
    task_type: str | None = None
    data: dict[str, Any] = {}
    event_id: str | None = None
    task_id: str | None = None
    project_id: int | None = None
    priority: int = 5

    @model_validator(mode="after")
    def _one_of_both(self) -> Outgoing:
        if (self.event_type is None) == (self.task_type is None):
            raise ValueError("give either event_type or task_type")
        return self
