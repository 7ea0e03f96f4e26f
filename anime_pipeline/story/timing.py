"""When each line of a cut is spoken, where the production does not say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class SpokenText(NamedTuple):
    """A line's text with the frames that were asked for; the end is exclusive."""

    text: str
    start: int | None = None
    end: int | None = None


def speaking_times(lines: Sequence[SpokenText], frames: int) -> list[tuple[int, int]]:
    """Start and end frame of each line in a cut of ``frames``, from the texts and the given frames alone.

    Lines without frames follow one another and share the time up to the next given frame, or to the cut's
    end, by the length of their texts. Where there is too little room a line may come out empty
    (start >= end): the reader refuses that.
    """
    times: list[tuple[int, int]] = []
    cursor = 0
    for index, line in enumerate(lines):
        start = cursor if line.start is None else line.start
        end = line.end if line.end is not None else start + _share(lines, index, start, frames)
        times.append((start, end))
        cursor = end
    return times


def _share(lines: Sequence[SpokenText], index: int, start: int, frames: int) -> int:
    limit, last = frames, len(lines)
    for position in range(index + 1, len(lines)):
        line = lines[position]
        if line.start is not None:
            limit, last = line.start, position
            break
        if line.end is not None:
            limit, last = line.end, position + 1
            break
    weight = sum(len(line.text) for line in lines[index:last])
    return max(0, limit - start) * len(lines[index].text) // max(1, weight)
