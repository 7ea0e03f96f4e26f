"""Backdrops: each place is painted in layers, from the sky to what hangs before the camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anime_pipeline.preview.drawing.backdrops import heights, nature, rooms, sacred, town, waterside
from anime_pipeline.preview.drawing.backdrops.stage import Layer, Lit, Stage, Water, Window
from anime_pipeline.preview.drawing.colours import Rgb
from anime_pipeline.preview.drawing.light import Light

PAINTERS: dict[str, Callable[[Stage], None]] = {
    "alley": town.alley, "beach": waterside.beach, "bedroom": rooms.bedroom, "bridge": waterside.bridge,
    "cafe": rooms.cafe, "classroom": rooms.classroom, "field": nature.field, "forest": nature.forest,
    "gallery": heights.gallery, "generic": nature.generic, "harbour": waterside.harbour, "hill": nature.hill,
    "kitchen": rooms.kitchen, "lamp_room": heights.lamp_room, "lighthouse": heights.lighthouse,
    "observatory": heights.observatory, "rooftop": town.rooftop, "sea": waterside.sea, "shop": town.shop,
    "shrine": sacred.shrine, "sky": nature.sky, "stairs": sacred.stairs, "station": town.station,
    "street": town.street, "train": rooms.train,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A painted place; ``window`` is what is seen of the world."""

    layers: tuple[Layer, ...]
    window: Window
    halos: tuple[Layer, ...] = ()
    beam: Lit | None = None
    water: Water | None = None
    indoors: bool = False


def paint_backdrop(
    place: str, location: str, aspect: float, height: int, window: Window, light: Light,
    palette: tuple[Rgb, ...], weather: frozenset[str],
) -> Backdrop:  # fmt: skip
    """Paints a place. The same location has the same houses, trees and hills in every shot."""
    stage = Stage(
        aspect, height, window, light, location.strip().lower(), palette,
        bool(weather & {"rain", "lightning"}), weather,
        cloud_drift=0.012 * (2.5 if "wind" in weather else 1.0),
    )  # fmt: skip
    PAINTERS[place](stage)
    layers, halos = tuple(stage.finished()), tuple(stage.halos())
    return Backdrop(layers, window, halos, stage.beam, stage.water, stage.indoors)
