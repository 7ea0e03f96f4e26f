"""A small cast and a shot to vary, for the tests of the artist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anime_pipeline.preview.drawing import Shot, ShotFigure, draw_shot
from anime_pipeline.preview.drawing.shot import Pixels

PALETTE = {"night": "#16213e", "sea": "#3d6b8c", "lantern": "#f4a259", "paper": "#f7ede2", "coral": "#e76f51"}
MIKA = ShotFigure(
    "Mika", {"hair_style": "short teal bob", "eye_color": "amber", "outfit": "yellow raincoat", "age": "17"},
    position="left",
)  # fmt: skip
KON = ShotFigure(
    "Kon",
    {"hair": "orange spiky hair", "eyes": "#2f9e6e", "outfit": "white robe",
    "accessory": "fox ears, lantern"},
    expression="happy", position="right",
)  # fmt: skip
SHOT = Shot(
    "video", 160, 90, 12, 24, 7, "harbour street", "day", "", PALETTE, "medium", "", (MIKA, KON),
)  # fmt: skip


def frames(shot: Shot = SHOT, **changes: object) -> list[Pixels]:
    """All frames of the shot with some fields changed."""
    return list(draw_shot(replace(shot, **changes)))  # type: ignore[arg-type]


def still(**changes: object) -> Pixels:
    """One still with some fields changed."""
    return frames(SHOT, kind="still", frames=1, **changes)[0]


def difference(one: Pixels, other: Pixels) -> float:
    """Mean absolute difference of two frames, 0 … 255."""
    return float(np.abs(one.astype(np.int16) - other).mean())
