"""What a sensor remembers between its ticks, and whether it has to look at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import dagster as dg
from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.changes import Look, look
from anime_pipeline.database.models import CutProfile

LOOK_AGAIN_SECONDS = 3600.0
"""How long a sensor trusts that nothing has changed: workflow files and media lie outside the database."""


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(timezone.utc)


def is_lately(at: float, seconds: float) -> bool:
    """Whether a moment (seconds of the epoch) is so lately past; one to come is of a clock that was wrong."""
    return 0.0 <= now().timestamp() - at < seconds


@dataclass
class Watch:
    """One tick's look at what was written since the tick before."""

    context: dg.SensorEvaluationContext
    memory: dict[str, Any]
    found: Look
    is_due: bool

    @classmethod
    def begin(cls, context: dg.SensorEvaluationContext, session: Session, tables: Sequence[str]) -> Watch:
        """Look at the tables from where the cursor stands."""
        memory = _parsed(context.cursor)
        due = not is_lately(float(memory.get("looked_at", 0.0)), LOOK_AGAIN_SECONDS)
        return cls(context, memory, look(session, tables, memory.get("mark")), due)

    @property
    def must_look(self) -> bool:
        """Something was written, something was left over, or it is long since all was looked at."""
        return bool(self.found.changed) or self.is_due or self.left_over

    @property
    def must_look_at_all(self) -> bool:
        """The cuts that were written don't tell everything that may be new."""
        return self.found.cut_ids is None or self.is_due or self.left_over

    @property
    def left_over(self) -> bool:
        """The tick before could not do everything."""
        return bool(self.memory.get("left_over"))

    @property
    def since(self) -> str:
        """When everything was last looked at, for people."""
        looked = datetime.fromtimestamp(float(self.memory.get("looked_at", 0.0)), timezone.utc)
        return f"{looked:%H:%M} UTC"

    def changed_keys(self, session: Session) -> list[str]:
        """Keys of the cuts that something was written about, in story order."""
        ids = sorted(self.found.cut_ids or ())
        return sorted(session.scalars(select(CutProfile.cut_key).where(CutProfile.cut_id.in_(ids))))

    def keep(self, left_over: bool = False, **notes: Any) -> None:
        """Remember that everything up to this look is dealt with, but for what is left over."""
        whole = self.must_look_at_all or "looked_at" not in self.memory
        looked = now().timestamp() if whole else self.memory["looked_at"]
        kept = {**self.memory, **notes, "mark": self.found.mark, "looked_at": looked, "left_over": left_over}
        self.context.update_cursor(json.dumps(kept, separators=(",", ":")))


def _parsed(cursor: str | None) -> dict[str, Any]:
    try:
        memory = json.loads(cursor or "{}")
    except json.JSONDecodeError:
        return {}  # a cursor that a person wrote in the UI: begin anew
    return memory if isinstance(memory, dict) else {}
