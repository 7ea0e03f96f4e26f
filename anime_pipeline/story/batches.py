"""Batches of cuts: ranges of neighbours where they are wanted, lists where cuts lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil


def contiguous_ranges(registered: Sequence[str], wanted: Sequence[str], size: int) -> list[list[str]]:
    """``wanted`` keys in runs of neighbours of at most ``size``: what one Dagster range run can name."""
    position = {key: index for index, key in enumerate(registered)}
    ranges: list[list[str]] = []
    for key in sorted(wanted, key=position.__getitem__):
        last = ranges[-1] if ranges else None
        if last and len(last) < size and position[key] == position[last[-1]] + 1:
            last.append(key)
        else:
            ranges.append([key])
    return ranges


def fewest_batches(
    registered: Sequence[str], wanted: Sequence[str], size: int
) -> tuple[bool, list[list[str]]]:
    """``wanted`` keys in at most one batch for each ``size`` of them, and whether each batch is a range.

    A wanted key that isn't registered is left out.
    """
    known = set(registered)
    keys = [key for key in wanted if key in known]
    ranges = contiguous_ranges(registered, keys, size)
    if len(ranges) <= ceil(len(keys) / size):
        return True, ranges
    return False, [keys[first : first + size] for first in range(0, len(keys), size)]
