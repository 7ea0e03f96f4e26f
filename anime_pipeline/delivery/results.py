"""What a delivery is, for those who asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anime_pipeline.errors import UserError


class DeliveryError(UserError):
    """Nothing can be delivered for a scope; the message says why."""


@dataclass(frozen=True)
class DeliveryResult:
    """A delivered file.

    ``path`` is the copy for people in the deliveries folder, ``sha256`` its name in the media store and
    ``content_sha256`` the hash of what it shows. ``built`` is False where it already existed and nothing was
    drawn or encoded. ``slates`` are the keys of the cuts that have no selected take, ``subtitles`` the SRT
    beside a master, ``overrides`` the gates that a person opened for it, in words. A contact sheet has one
    frame and no duration.
    """

    scope_key: str
    path: Path
    sha256: str
    content_sha256: str
    frame_count: int
    duration_seconds: float
    built: bool
    slates: tuple[str, ...] = ()
    subtitles: Path | None = None
    overrides: tuple[str, ...] = ()
