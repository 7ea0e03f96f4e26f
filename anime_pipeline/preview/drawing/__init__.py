"""The artist of the preview server: stylised animatics drawn with Pillow and numpy from a shot alone."""

from __future__ import annotations

from anime_pipeline.preview.drawing.compose import draw_shot
from anime_pipeline.preview.drawing.shot import Shot, ShotFigure, ShotLine

__all__ = ["Shot", "ShotFigure", "ShotLine", "draw_shot"]
