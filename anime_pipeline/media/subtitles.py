"""Subtitles as SubRip text (.srt), timed by frames."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from anime_pipeline.media.errors import MediaError
from anime_pipeline.media.film_writer import frame_rate


@dataclass(frozen=True, order=True)
class Subtitle:
    """A text of one or more lines, on screen from ``start_frame`` up to, not including, ``end_frame``."""

    start_frame: int
    end_frame: int
    text: str


def write_srt(subtitles: Iterable[Subtitle], fps: float | Fraction) -> str:
    """The subtitles that say something, in the order of their start, with times rounded to milliseconds.

    What players would take for markup is written so that it is shown as it was meant. Raises
    :class:`MediaError` for a subtitle that starts before frame 0 or does not last a frame.
    """
    rate = frame_rate(fps)
    blocks = [
        f"{number}\n{_time(line.start_frame, rate)} --> {_time(line.end_frame, rate)}\n{_shown(line.text)}\n"
        for number, line in enumerate(sorted(_checked(line) for line in subtitles if line.text.strip()), 1)
    ]
    return "\n".join(blocks)


def _checked(line: Subtitle) -> Subtitle:
    if not 0 <= line.start_frame < line.end_frame:
        raise MediaError(
            f"the subtitle {line.text!r} cannot last from frame {line.start_frame} to {line.end_frame}",
            "let it start at frame 0 or later and end after its start",
        )
    return line


def _time(frame: int, rate: Fraction) -> str:
    milliseconds = int(frame * 1000 / rate + Fraction(1, 2))
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02},{milliseconds:03}"


def _shown(text: str) -> str:
    # An empty line would end the subtitle, an arrow looks like times, and SubRip has no way to quote a tag.
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    text = "\n".join(lines).replace("-->", "→").replace("{\\", "{ \\")
    return re.sub(r"<(/?[A-Za-z][^<>]*)>", r"‹\1›", text)
