"""One difference between a table and what the upgrade relies on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["blocks", "mended", "warning", "note"]


@dataclass(frozen=True)
class Difference:
    """One difference; ``mend`` are the statements that complete it."""

    table: str
    severity: Severity
    message: str
    remedy: str | None = None
    mend: tuple[str, ...] = ()


RENAME = 'Keep it under another name: ALTER TABLE public."{name}" RENAME TO "{name}_before_v2";'
