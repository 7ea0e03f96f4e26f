"""The stage: sheets at several depths on which a place is painted, and what becomes of them under light.

World units are frame heights of a wide shot: x from 0 to the aspect ratio, y from 0 (top) to 1 (bottom).
Nearer framings look at a part of the same world, so that a place stays the same place from cut to cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from anime_pipeline.preview.drawing.colours import Rgb, mix
from anime_pipeline.preview.drawing.cutout import Cutout, cut_out
from anime_pipeline.preview.drawing.grade import graded, grading
from anime_pipeline.preview.drawing.light import Light
from anime_pipeline.preview.drawing.pen import Point, Sheet, blurred
from anime_pipeline.preview.drawing.seeds import generator

WARM: Rgb = (255, 206, 120)


@dataclass(frozen=True)
class Window:
    """The part of the world in the frame: its middle, zoom, and the margin around it (in frame heights)."""

    cx: float
    cy: float
    zoom: float
    margin: float
    blur: float = 0.0


@dataclass(frozen=True, eq=False)
class Layer:
    """A finished layer; its origin is the frame's top left corner. ``drift`` in frame heights a second."""

    picture: Cutout
    parallax: float
    drift: float = 0.0
    front: bool = False


@dataclass(frozen=True)
class Lit:
    """A lamp whose beam turns: where it is in the world, and how deep."""

    x: float
    y: float
    depth: float


@dataclass(frozen=True)
class Water:
    """Open water from its far edge to its near one, in world units, and its depth."""

    top: float
    bottom: float
    depth: float


@dataclass(eq=False)
class Stage:
    """Where painters paint. ``rng`` follows from the place's name only, and is for what stands there.

    What comes and goes with the hour and the weather (clouds, stars, glints, puddles) asks :meth:`chance`: a
    night with more stars must not move the houses.
    """

    aspect: float
    height: int
    window: Window
    light: Light
    place: str
    palette: tuple[Rgb, ...]
    wet: bool
    weather: frozenset[str]
    horizon: float = 0.62
    indoors: bool = False
    beam: Lit | None = None
    water: Water | None = None
    cloud_drift: float = 0.0
    rng: np.random.Generator = field(init=False)
    _paint: dict[float, Sheet] = field(default_factory=dict)
    _lit: dict[float, Sheet] = field(default_factory=dict)
    _lamps: list[tuple[Point, float, Rgb, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = self.chance("place")

    def chance(self, what: str) -> np.random.Generator:
        """Random numbers for one thing at this place, whatever else is drawn there."""
        return generator(what, self.place)

    @property
    def left(self) -> float:
        """The left end of what painters have to fill."""
        return -0.45

    @property
    def right(self) -> float:
        """The right end of what painters have to fill."""
        return self.aspect + 0.45

    def plane(self, depth: float) -> Sheet:
        """The sheet at a depth: 0 the sky, 1 the ground of the figures, above 1 before them."""
        if depth not in self._paint:
            self._paint[depth] = self._sheet()
        return self._paint[depth]

    def lit(self, depth: float) -> Sheet:
        """The sheet at a depth for what shines by itself: no light or haze dims it."""
        if depth not in self._lit:
            self._lit[depth] = self._sheet()
        return self._lit[depth]

    def lamp(self, x: float, y: float, radius: float, colour: Rgb = WARM, depth: float = 1.0) -> None:
        """A light that glows where the hour asks for lamps, with its reflection on wet ground."""
        if self.light.lamps > 0:
            self._lamps.append(((x, y), radius, colour, depth))

    def strip(self, depth: float, y0: float, y1: float, colour: Rgb) -> None:
        """A band across the whole width."""
        self.plane(depth).box_area(self.left, y0, self.right, y1, colour)

    def finished(self) -> list[Layer]:
        """All layers from back to front under light, haze and palette."""
        self._reflect()
        layers = []
        for low, high, parallax in _PLANES:
            depths = [depth for depth in sorted({*self._paint, *self._lit}) if low <= depth < high]
            if not depths:
                continue
            image = self._flattened(depths)
            blur = self.window.blur * self.height * (1.6 if low > 1 else 1.0)
            if low > 1 and self.window.zoom > 1.2:
                blur = max(blur, 0.008 * self.height)
            if blur > 0.5:
                image = blurred(image, blur)
            picture = cut_out(image, self._origin())
            if picture is not None:
                layers.append(Layer(picture, parallax, self.cloud_drift if depths == [CLOUDS] else 0.0,
                    low > 1))  # fmt: skip
        return layers

    def _flattened(self, depths: list[float]) -> Image.Image:
        """Several depths that move as one, each graded for itself."""
        whole: Image.Image | None = None
        for depth in depths:
            parts = [self._graded(depth)] if depth in self._paint else []
            if depth in self._lit:
                parts.append(graded(self._lit[depth].finished(), grading((1, 1, 1), self.palette, 0.25)))
            for part in parts:
                if whole is None:
                    whole = part
                else:
                    whole.alpha_composite(part)
        assert whole is not None
        return whole

    def halos(self) -> list[Layer]:
        """Halos of the lamps, black elsewhere, to be screened over the frame; each moves with its lamp."""
        sheets: dict[float, Sheet] = {}
        for (x, y), radius, colour, depth in self._lamps:
            parallax = parallax_at(depth)
            if parallax not in sheets:
                sheets[parallax] = Sheet(*self._box(), self.height * self.window.zoom / 4, 1)
            sheets[parallax].glow(x, y, radius, colour, 0.55 * self.light.lamps)
        return [self._halo(sheet, parallax) for parallax, sheet in sorted(sheets.items())]

    def _halo(self, sheet: Sheet, parallax: float) -> Layer:
        black = Image.new("RGBA", sheet.image.size, (0, 0, 0, 255))
        black.alpha_composite(sheet.image)
        x, y = self._origin()
        return Layer(Cutout(black.convert("RGB"), None, (x / 4, y / 4)), parallax)

    def _graded(self, depth: float) -> Image.Image:
        image = self._paint[depth].finished()
        if depth == 0.0:
            return graded(image, grading((1, 1, 1), self.palette, 0.62))
        amount = 0.0 if self.indoors else max(0.0, 0.62 * (1 - min(depth,
            1.0)) ** 1.3) * (1.25 if self.wet else 1.0)  # fmt: skip
        haze = (mix(self.light.haze, self.light.sky[1], 0.35), min(0.85, amount))
        ambient = self.light.ambient
        if self.indoors and self.light.lamps > 0.3:
            lamp = self.light.lamps
            ambient = tuple(a + (w - a) * 0.45 * lamp for a, w in zip(ambient, (0.98, 0.82, 0.62),
                strict=True))  # type: ignore[assignment]  # fmt: skip
        if depth > 1.05:
            ambient = tuple(a * 0.62 for a in ambient)  # type: ignore[assignment]
        return graded(image, grading(ambient, self.palette, 0.66, haze))

    def _reflect(self) -> None:
        """Streaks of lamplight on wet ground."""
        if not self.wet or self.indoors:
            return
        sheet, rng = self.lit(1.0), self.chance("reflections")
        ground = self.horizon + 0.05
        for (x, y), radius, colour, _ in self._lamps:
            if y > ground + 0.1:
                continue
            top = ground + 0.04
            bottom = min(1.1, top + 0.2 + (ground - y) * 0.3)
            wide = max(0.012, radius * 0.12)
            rows = 12
            for row in range(rows):
                t = row / rows
                at, fade = top + (bottom - top) * t, (1 - t) * (0.35 + 0.65 * float(rng.uniform()))
                reach, shift = wide * (0.6 + 0.8 * t), float(rng.normal(0, wide * 0.25))
                path = [(x + shift - reach, at), (x + shift, at + 0.002), (x + shift + reach, at)]
                sheet.stroke(path, (*colour, round(150 * fade * self.light.lamps)), (0.0, 0.016, 0.0))

    def _sheet(self) -> Sheet:
        fine = self.window.blur == 0 and self.aspect * self.height**2 <= _SMALL_PIXELS
        return Sheet(*self._box(), self.height * self.window.zoom, 2 if fine else 1)

    def _box(self) -> tuple[float, float, float, float]:
        w = self.window
        across, down = (self.aspect / 2 + w.margin) / w.zoom, (0.5 + w.margin) / w.zoom
        return w.cx - across, w.cy - down, w.cx + across, w.cy + down

    def _origin(self) -> Point:
        return self.window.margin * self.height, self.window.margin * self.height


# The sheet of clouds: it drifts by itself.
CLOUDS = 0.05
# A frame of up to so many pixels is painted twice as large; all planes are held at once.
_SMALL_PIXELS = 2560 * 1440
# Depths from … to that move together, and how far they follow the camera.
_PLANES = ((0.0, 0.05, 0.25), (0.05, 0.1, 0.32), (0.1, 0.46, 0.5), (0.46, 0.78, 0.75), (0.78, 1.05, 0.95),
    (1.05, 9.0, 1.25))  # fmt: skip


def parallax_at(depth: float) -> float:
    """How far a thing at a depth follows the camera."""
    return next(parallax for low, high, parallax in _PLANES if low <= depth < high)
