"""How long a cut is on the screen, and which of its take's frames is seen when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Protocol

from anime_pipeline.media.film import Frame


class Timed(Protocol):
    """What a cut's time on the screen comes from."""

    @property
    def film_frames(self) -> int: ...
    @property
    def fps(self) -> int: ...


def on_screen_frames(context: Timed, film_fps: int) -> int:
    """Frames that a cut is on the screen, counted at the film's rate; at least 1.

    These are the cut's ``film_frames``: a still is held and a video plays for its ``duration_frames``, a loop
    plays its cycle ``repeats`` times. A cut with a rate of its own keeps its seconds.
    """
    return max(1, int(Fraction(context.film_frames * film_fps, context.fps) + Fraction(1, 2)))


def source_frame(film_frame: int, take_fps: Fraction, film_fps: int) -> int:
    """The take's frame that shows in the middle of a film frame; both count from 0."""
    return int(Fraction(2 * film_frame + 1, 2) * take_fps / film_fps)


def screened(
    take: Callable[[], Iterator[Frame]], repeat: bool, take_fps: Fraction, film_fps: int, count: int
) -> Iterator[Frame]:
    """``count`` frames for the film from a take, read frame by frame.

    A longer take is trimmed. A shorter one starts again if it repeats (it is read again, so that memory stays
    flat), else its last frame is held: a film frame that repeats the one before is the same object.
    """
    frames = take()
    shown, position = next(frames), 0
    for film_frame in range(count):
        wanted = source_frame(film_frame, take_fps, film_fps)
        while position < wanted:
            following = next(frames, None)
            if following is None and repeat:
                frames = take()
                following = next(frames)
            if following is None:
                break
            shown, position = following, position + 1
        yield shown
