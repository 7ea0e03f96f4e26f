"""A timeline as pictures: every frame of the film, in the film's size."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from PIL import Image, ImageOps

from anime_pipeline.delivery.burn_in import burn_in
from anime_pipeline.delivery.screen_time import screened
from anime_pipeline.delivery.slates import draw_slate
from anime_pipeline.delivery.timeline import ShownCut, Timeline
from anime_pipeline.media.film import Frame
from anime_pipeline.media.store import MediaStore


def screen(timeline: Timeline, store: MediaStore, burn_subtitles: bool = False) -> Iterator[Frame]:
    """Exactly ``timeline.frame_count`` frames, uint8 height × width × 3; one take is open at a time."""
    for cut in timeline.cuts:
        lines = cut.subtitles(timeline.fps) if burn_subtitles else []
        for number, frame in enumerate(_fitted(cut, timeline, store), start=cut.start):
            spoken = [line.text for line in lines if line.start_frame <= number < line.end_frame]
            yield burn_in(frame, "\n".join(spoken)) if spoken else frame


def _fitted(cut: ShownCut, timeline: Timeline, store: MediaStore) -> Iterator[Frame]:
    if cut.take is None:
        slate = draw_slate(cut.context, timeline.width, timeline.height)
        yield from (slate for _ in range(cut.frames))
        return
    before: Frame | None = None
    for frame in screened(
        partial(cut.take.frames, store),
        repeat=cut.context.kind == "loop",
        take_fps=cut.take.rate(cut.context.fps),
        film_fps=timeline.fps,
        count=cut.frames,
    ):
        if frame is not before:
            fitted, before = fit(frame, timeline.width, timeline.height), frame
        yield fitted


def fit(frame: Frame, width: int, height: int) -> Frame:
    """A frame in the film's size: as it is, or scaled as a whole with black beside or above it."""
    if frame.shape[:2] == (height, width):
        return frame
    # A film of an odd size was stored with one pixel more; it is not a reason to scale.
    if frame.shape[:2] == (height + height % 2, width + width % 2):
        return frame[:height, :width]
    picture = Image.fromarray(np.ascontiguousarray(frame))
    return np.asarray(ImageOps.pad(picture, (width, height), Image.Resampling.LANCZOS, color="black"))
