"""The cuts of a scene or an episode one after another, as the film shows them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from anime_pipeline.database.models import ProjectProfile
from anime_pipeline.delivery.results import DeliveryError
from anime_pipeline.delivery.screen_time import on_screen_frames
from anime_pipeline.delivery.slates import slate_text
from anime_pipeline.delivery.takes import ShownTake, selected_takes
from anime_pipeline.media.subtitles import Subtitle
from anime_pipeline.story.context import CutContext
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline.story.timings import CutTiming

FILM_VERSION = 1
"""Raised when the same cuts give other pictures: a new look of slates or burnt-in text, another encoding."""


@dataclass(frozen=True)
class ShownCut:
    """A cut in a film: ``start`` and ``frames`` count at the film's rate; without a take it is a slate."""

    context: CutContext
    take: ShownTake | None
    start: int
    frames: int

    def subtitles(self, film_fps: int) -> list[Subtitle]:
        """The cut's dialogue in the film's frames, as far as it is within the cut."""
        lines = []
        for line in self.context.dialogue:
            start, end = (
                self.start + min(self.frames, round(frame * film_fps / self.context.fps))
                for frame in (line.start_frame, line.end_frame)
            )
            if start < end:
                lines.append(
                    Subtitle(start, end, f"{line.speaker}: {line.text}" if line.speaker else line.text)
                )
        return lines


@dataclass(frozen=True)
class Timeline:
    """A film's size in pixels, its rate in frames per second, and its cuts in story order."""

    width: int
    height: int
    fps: int
    cuts: tuple[ShownCut, ...]

    @property
    def frame_count(self) -> int:
        """Frames of the film."""
        return sum(cut.frames for cut in self.cuts)

    @property
    def slates(self) -> tuple[str, ...]:
        """Keys of the cuts that have no selected take."""
        return tuple(cut.context.cut_key for cut in self.cuts if cut.take is None)

    @property
    def subtitles(self) -> list[Subtitle]:
        """All dialogue, in film frames."""
        return [line for cut in self.cuts for line in cut.subtitles(self.fps)]

    def content_sha256(self, burn_subtitles: bool) -> str:
        """Hash of all that decides the film's pictures: the same hash, the same film."""
        cuts = [
            [
                cut.context.cut_key,
                _shown(cut.context, cut.take) if cut.take else slate_text(cut.context),
                cut.frames,
                [[line.start_frame, line.end_frame, line.text] for line in cut.subtitles(self.fps)]
                if burn_subtitles
                else None,
            ]
            for cut in self.cuts
        ]
        return _content_sha256(self.width, self.height, self.fps, burn_subtitles, cuts)


def complete_content(profile: ProjectProfile, cuts: Sequence[tuple[CutTiming, ShownTake]]) -> str:
    """``content_sha256(burn_subtitles=False)`` of the timeline of these cuts, which all have a take."""
    fps = profile.fps
    told = [[cut.cut_key, _shown(cut, take), on_screen_frames(cut, fps), None] for cut, take in cuts]
    return _content_sha256(profile.width, profile.height, fps, False, told)


def _shown(cut: CutContext | CutTiming, take: ShownTake) -> list[object]:
    return [take.pixels, str(take.rate(cut.fps)), cut.kind == "loop"]


def _content_sha256(width: int, height: int, fps: int, burn_subtitles: bool, cuts: Sequence[object]) -> str:
    film = [FILM_VERSION, width, height, fps, burn_subtitles, cuts]
    return hashlib.sha256(json.dumps(film, ensure_ascii=False).encode()).hexdigest()


def load_timeline(session: Session, scope_key: str) -> Timeline:
    """The active cuts of a scope with their selected takes, in a constant number of queries.

    Raises :class:`DeliveryError` for a scope without active cuts.
    """
    keys = active_cut_keys(session, scope_key)
    if not keys:
        raise DeliveryError(
            f"{scope_key} has no cuts to deliver",
            "check the key, or import a production that has cuts there",
        )
    contexts = load_cut_contexts(session, keys)
    profile = session.get_one(ProjectProfile, contexts[keys[0]].project_id)
    takes = selected_takes(session, [context.cut_id for context in contexts.values()])
    cuts, start = [], 0
    for key in keys:
        context = contexts[key]
        frames = on_screen_frames(context, profile.fps)
        cuts.append(ShownCut(context, takes.get(context.cut_id), start, frames))
        start += frames
    return Timeline(profile.width, profile.height, profile.fps, tuple(cuts))
