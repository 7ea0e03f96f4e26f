"""What becomes of a take after a failed attempt: the class of the failure decides."""

from __future__ import annotations

import json
import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.queue import Leased

_LONGEST_DELAY_SECONDS = 30.0


@dataclass(frozen=True)
class Scene:
    """Where an attempt failed: the server, its VRAM in bytes, and all servers that might take over."""

    server_url: str
    vram: int = 0
    servers: Collection[str] = ()


@dataclass(frozen=True)
class Fate:
    """Whether the take is tried again, and after how long; else the message that it ends with."""

    again: bool
    message: str
    delay_seconds: float = 0.0


def decide(session: Session, leased: Leased, error: ComfyError, scene: Scene | None = None) -> Fate:
    """Count a failure, note what it teaches about servers, and say whether the take is tried again."""
    policy = error.policy
    params = _params(session, leased)
    if policy.unfit and scene is not None:
        params["unfit"] = {**params.get("unfit", {}), scene.server_url: str(error)}
        again = bool(set(scene.servers) - set(params["unfit"]))
        _count(session, leased, error, params, counted=not again)
        return Fate(again, _combined(params["unfit"]))
    family = error.error_class if policy.counted else "lost"
    failures = params[family] = int(params.get(family, 0)) + 1
    if scene is not None and policy.elsewhere:
        params["avoid"] = sorted({*params.get("avoid", []), scene.server_url})
    if scene is not None and error.error_class == "out_of_memory" and failures > 1:
        params["vram_over"] = max(int(params.get("vram_over", -1)), scene.vram)
    attempts, max_attempts = _count(session, leased, error, params, policy.counted)
    again = (
        policy.retried and attempts < max_attempts and (policy.at_most is None or failures < policy.at_most)
    )
    return Fate(again, str(error), retry_delay(max(attempts if policy.counted else failures, 1)))


def retry_delay(failures: int) -> float:
    """Seconds before the next attempt after so many failures:
    doubling from 0.5 to 30, with jitter below it.
    """
    longest = min(_LONGEST_DELAY_SECONDS, 0.5 * 2.0 ** (failures - 1))
    return longest * random.uniform(0.5, 1.0)


def _params(session: Session, leased: Leased) -> dict[str, Any]:
    query = text("SELECT render_params FROM render_queue WHERE id = :id FOR UPDATE")
    return dict(session.scalar(query, {"id": leased.queue_id}) or {})


def _count(
    session: Session, leased: Leased, error: ComfyError, params: dict[str, Any], counted: bool
) -> tuple[int, int]:
    row = session.execute(
        text("""
            UPDATE render_queue SET attempts = attempts + :counted, error_message = :message,
                render_params = CAST(:params AS jsonb)
            WHERE id = :queue_id RETURNING attempts, max_attempts
        """),
        {
            "counted": int(counted), "message": str(error), "params": json.dumps(params),
            "queue_id": leased.queue_id,
        },
    ).one()  # fmt: skip
    return row.attempts, row.max_attempts


def _combined(unfit: dict[str, str]) -> str:
    if len(unfit) == 1:
        return next(iter(unfit.values()))
    return "no server can render this: " + "; ".join(f"{url}: {why}" for url, why in sorted(unfit.items()))
