"""The first and the last frame of a film or picture, without decoding what lies between."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import av

from anime_pipeline.media.errors import DamagedMediaError
from anime_pipeline.media.film import DECODER_OPTIONS, Frame, is_picture, iter_frames, open_film


def first_frame(path: Path) -> Frame:
    """The first frame, uint8 height × width × 3, RGB. Raises as :func:`~anime_pipeline.media.film.probe`."""
    frame = next(iter_frames(path), None)
    if frame is None:
        raise DamagedMediaError(f"{path} has no frame")
    return frame


def last_frame(path: Path) -> Frame:
    """The last frame, uint8 height × width × 3, RGB; a film is decoded from its last keyframe on.

    Raises as :func:`~anime_pipeline.media.film.probe`; damage before that keyframe is not looked for.
    """
    last = None if is_picture(path) else _end_of_film(path)
    if last is None:  # a picture, or a film whose index leads past its end
        for frame in iter_frames(path):
            last = frame
    if last is None:
        raise DamagedMediaError(f"{path} has no frame")
    return last


def _end_of_film(path: Path) -> Frame | None:
    with open_film(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.options = DECODER_OPTIONS
        last = None
        try:
            if stream.duration is not None:
                container.seek((stream.start_time or 0) + stream.duration, stream=stream)
            elif container.duration is not None:
                container.seek(container.duration)
            for frame in container.decode(stream):
                last = frame
        except av.FFmpegError:
            return None
        return None if last is None else cast(Frame, last.to_ndarray(format="rgb24"))
