"""Which face is whose: the assignment of faces to characters with the greatest total similarity."""

from __future__ import annotations

import importlib

import numpy as np
import numpy.typing as npt


def assign(similarities: npt.NDArray[np.float64]) -> dict[int, int]:
    """The face of each character, from similarities characters × faces (the Hungarian method).

    With fewer faces than characters some characters have none. No face is given to two.
    """
    if similarities.size == 0:
        return {}
    solve = importlib.import_module("scipy.optimize").linear_sum_assignment
    characters, faces = solve(similarities, maximize=True)
    return {int(character): int(face) for character, face in zip(characters, faces, strict=True)}
