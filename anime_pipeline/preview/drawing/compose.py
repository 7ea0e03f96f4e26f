"""A shot, frame by frame: backdrop layers, figures, air and light laid over each other under the camera."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from anime_pipeline.preview.drawing.backdrops import Backdrop, paint_backdrop
from anime_pipeline.preview.drawing.backdrops.stage import Layer, Window, parallax_at
from anime_pipeline.preview.drawing.camera import MARGIN, View, largest_zoom, view_of
from anime_pipeline.preview.drawing.clock import Clock
from anime_pipeline.preview.drawing.colours import Floats, Rgb
from anime_pipeline.preview.drawing.cutout import Cutout
from anime_pipeline.preview.drawing.figures.cast import cast_of
from anime_pipeline.preview.drawing.grade import graded, grading, palette_colours
from anime_pipeline.preview.drawing.light import Factors, light_for
from anime_pipeline.preview.drawing.overlay import draw_overlay
from anime_pipeline.preview.drawing.pen import Point, radial
from anime_pipeline.preview.drawing.seeds import generator
from anime_pipeline.preview.drawing.shot import Pixels, Shot
from anime_pipeline.preview.drawing.vocabulary import camera_of, hour_of, mood_tints, place_of, weather_of
from anime_pipeline.preview.drawing.weather import Air, Cloud

_ZOOMS = {"wide": 1.0, "full": 1.12, "two_shot": 1.3, "medium": 1.5, "close": 2.0, "extreme": 2.5}
# How far below the horizon water is surely not hidden by what stands in its own layer, in world units.
_OPEN_WATER = 0.11
_BLURS = {"close": 0.008, "extreme": 0.02}
_OUTDOOR_AIR = frozenset({"rain", "snow", "petals", "wind", "lightning", "mist"})


def draw_shot(shot: Shot) -> Iterator[Pixels]:
    """Draws exactly ``shot.frames`` frames (height × width × 3, uint8), alike for equal shots."""
    picture = _Picture(shot)
    for index in range(shot.frames):
        yield picture.frame(index)


class _Picture:
    """Everything of a shot that is painted once."""

    def __init__(self, shot: Shot) -> None:
        self.shot = shot
        self.camera = camera_of(shot.camera_angle, shot.action)
        self.aspect = shot.width / shot.height
        words = f"{shot.action} ; {shot.mood} ; {shot.location} ; {shot.time_of_day}"
        self.weather = weather_of(words)
        self.light = light_for(hour_of(shot.time_of_day), self.weather, mood_tints(shot.mood))
        self.palette = palette_colours(shot.palette)
        self.backdrop = self._backdrop()
        self.cast = cast_of(shot, self.camera, self.weather, self._figure_light(),
            self.light, largest_zoom(self.camera))  # fmt: skip
        air = self.weather - _OUTDOOR_AIR if self.backdrop.indoors else self.weather
        self.air = Air(air, shot.width, shot.height, shot.seed, min(1.0, self.light.lamps))
        self.glints = Cloud.of(60, "glints", shot.location)
        self.vignette = _vignette(shot.width, shot.height)
        self.beam_fall = radial(64, (255, 255, 255)).getchannel("A")

    def frame(self, index: int) -> Pixels:
        """One finished frame."""
        shot = self.shot
        clock = Clock(index, shot.frames, shot.fps, shot.kind)
        view = view_of(self.camera, clock, self.aspect)
        frame = Image.new("RGB", (shot.width, shot.height))
        for layer in self.backdrop.layers:
            if not layer.front:
                _lay(frame, layer, view, clock)
                self._water(frame, layer, view, clock)
        self._beam(frame, view, clock)
        for halo in self.backdrop.halos:
            _screen(frame, halo, view)
        for member in self.cast:
            member.draw(frame, self._root(view), clock)
        for layer in self.backdrop.layers:
            if layer.front:
                _lay(frame, layer, view, clock)
        self.air.draw(frame, clock)
        frame = ImageChops.multiply(frame, self.vignette)
        draw_overlay(frame, shot, index)
        return np.array(frame, dtype=np.uint8)

    def _backdrop(self) -> Backdrop:
        shot, framing = self.shot, self.camera.framing
        if shot.background is not None:
            return _given(shot.background, shot.width, shot.height, self.light.ambient, self.palette)
        rng = generator("window", shot.seed)
        zoom = _ZOOMS[framing]
        drift = 0.10 * (1 - 1 / zoom) + (0.0 if framing == "wide" else 0.04)
        cx = self.aspect * (0.5 + float(rng.uniform(-drift, drift)))
        cy = 0.5 - 0.05 * (1 - 1 / zoom) - 0.10 * self.camera.low + 0.10 * self.camera.high
        window = Window(cx, cy, zoom, MARGIN, _BLURS.get(framing, 0.0))
        return paint_backdrop(
            place_of(shot.location), shot.location, self.aspect, shot.height, window, self.light,
            self.palette, self.weather
        )  # fmt: skip

    def _figure_light(self) -> Factors:
        """What falls on figures: the hour's light, warmed by the lamps of a room."""
        ambient = self.light.figure_ambient
        if not self.backdrop.indoors:
            return ambient
        amount = 0.75 * self.light.lamps
        red, green, blue = (a + (w - a) * amount for a, w in zip(ambient, (1.0, 0.93, 0.82), strict=True))
        return red, green, blue

    def _root(self, view: View) -> Floats:
        """From shares of the frame's height to pixels under the camera, for things on the figures' plane."""
        h, zoom = self.shot.height, view.zoom
        cx, cy = self.aspect / 2, 0.5
        return np.array((
            (h * zoom, 0.0, h * (cx - zoom * (cx + view.x))), (0.0, h * zoom,
            h * (cy - zoom * (cy + view.y))), (0.0, 0.0, 1.0),
        ))  # fmt: skip

    def _to_frame(self, x: float, y: float, parallax: float, view: View) -> Point:
        """A point of the world in pixels."""
        window = self.backdrop.window
        seen = view.for_depth(parallax)
        fx = (x - window.cx) * window.zoom - seen.x
        fy = (y - window.cy) * window.zoom - seen.y
        h = self.shot.height
        return (fx * seen.zoom + self.aspect / 2) * h, (fy * seen.zoom + 0.5) * h

    def _water(self, frame: Image.Image, layer: Layer, view: View, clock: Clock) -> None:
        """Glints that come and go on the water of the layer just laid; none where it is out of focus."""
        water = self.backdrop.water
        if water is None or self.backdrop.window.blur or layer.parallax != parallax_at(water.depth):
            return
        pen = ImageDraw.Draw(frame, "RGBA")
        colour = tuple(min(255, c + 40) for c in self.light.haze)
        for x0, y0, size, phase in zip(self.glints.x, self.glints.y, self.glints.size, self.glints.phase,
            strict=True):  # fmt: skip
            pulse = 0.5 + 0.5 * math.sin(2 * math.pi * (clock.turns(0.4) + phase))
            depth = float(y0) ** 2 * 0.35
            along = float(x0) * (self.aspect + 0.4) - 0.2 + 0.01 * clock.wave(0.3, phase)
            down = 0.008 + (water.bottom - water.top) * depth
            if down > _OPEN_WATER:
                continue
            x, y = self._to_frame(along, water.top + down, layer.parallax, view)
            reach = (0.008 + 0.03 * float(size)) * (0.4 + depth * 3) * self.shot.height
            pen.line((x - reach, y, x + reach, y), fill=(*colour, round(150 * pulse)),
                width=max(1, self.shot.height // 300))  # fmt: skip

    def _beam(self, frame: Image.Image, view: View, clock: Clock) -> None:
        """The lighthouse's beam: it turns, so it widens, shortens and passes to the other side."""
        beam = self.backdrop.beam
        if beam is None:
            return
        w, h = max(1, frame.width // 3), max(1, frame.height // 3)
        x, y = (v / 3 for v in self._to_frame(beam.x, beam.y, parallax_at(beam.depth), view))
        mask = Image.new("L", (w, h))
        pen = ImageDraw.Draw(mask)
        turn = 2 * math.pi * (clock.turns(0.09) + 0.06)
        reach = abs(math.cos(turn)) * w * 1.6
        for side in (1, -1):
            along, towards = side * math.copysign(reach, math.cos(turn)), side * math.sin(turn)
            spread = h * (0.06 + 0.16 * max(0.0, towards))
            strength = round(120 * (0.35 + 0.65 * abs(math.cos(turn))))
            pen.polygon([(x, y - 1), (x + along, y - spread - h * 0.12), (x + along, y + spread - h * 0.05),
                (x, y + 1)], fill=strength)  # fmt: skip
        mask = mask.filter(ImageFilter.BoxBlur(max(1.0, h * 0.014)))
        # It fades to nothing before its end, which would show as an edge in the sky where the beam is short.
        radius = max(4, round(min(max(w, h) * 1.1, reach)))
        fade = Image.new("L", (w, h))
        fall = self.beam_fall.resize((2 * radius, 2 * radius), Image.Resampling.BILINEAR)
        fade.paste(fall, (round(x) - radius, round(y) - radius))
        mask = ImageChops.multiply(mask, fade).resize(frame.size, Image.Resampling.BILINEAR)
        frame.paste((255, 242, 196), (0, 0), mask)


def _lay(frame: Image.Image, layer: Layer, view: View, clock: Clock) -> None:
    """Lays a backdrop layer over the frame as the camera sees it."""
    seen = view.for_depth(layer.parallax)
    drift = 0.0
    if layer.drift and not clock.still:
        drift = min(0.08, layer.drift * clock.seconds) if clock.kind == "video" else 0.004 * clock.wave(0.5)
    box = _source(frame.size, layer.picture.origin, seen, 1.0, drift)
    if layer.picture.alpha is None:
        inside = _inside(box, layer.picture.size)
        frame.paste(layer.picture.colour.resize(frame.size, Image.Resampling.BILINEAR, box=inside), (0, 0))
        return
    # Only the part of the frame that the layer reaches is worked on.
    x0, y0, x1, y1 = _reached(frame.size, box, layer.picture.size)
    if x1 <= x0 or y1 <= y0:
        return
    sx, sy = (box[2] - box[0]) / frame.width, (box[3] - box[1]) / frame.height
    part = (box[0] + x0 * sx, box[1] + y0 * sy, box[0] + x1 * sx, box[1] + y1 * sy)
    part = _inside(part, layer.picture.size)
    size = (x1 - x0, y1 - y0)
    colour = layer.picture.colour.resize(size, Image.Resampling.BILINEAR, box=part)
    frame.paste(colour, (x0, y0), layer.picture.alpha.resize(size, Image.Resampling.BILINEAR, box=part))


def _screen(frame: Image.Image, layer: Layer, view: View) -> None:
    """Screens the halos of lamps (a quarter of the size) over the frame."""
    box = _inside(_source(frame.size, layer.picture.origin, view.for_depth(layer.parallax), 4.0, 0.0),
        layer.picture.size)  # fmt: skip
    halos = layer.picture.colour.resize(frame.size, Image.Resampling.BILINEAR, box=box)
    frame.paste(ImageChops.screen(frame, halos), (0, 0))


def _source(size: tuple[int, int], origin: Point, seen: View, shrunk: float, drift: float) -> tuple[float,
    float, float, float]:  # fmt: skip
    """The box of a layer that fills the frame under a view."""
    width, height = size[0] / shrunk, size[1] / shrunk
    w, h = width / seen.zoom, height / seen.zoom
    cx = origin[0] + width / 2 + (seen.x + drift) * height
    cy = origin[1] + height / 2 + seen.y * height
    return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2


def _reached(size: tuple[int, int], box: tuple[float, float, float, float],
    layer: tuple[int, int]) -> tuple[int, int, int, int]:  # fmt: skip
    """The box of frame pixels whose source lies wholly on the layer."""
    sx, sy = (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]
    x0, y0 = max(0, math.ceil(-box[0] / sx)), max(0, math.ceil(-box[1] / sy))
    x1, y1 = min(size[0], math.floor((layer[0] - box[0]) / sx)), min(size[1],
        math.floor((layer[1] - box[1]) / sy))  # fmt: skip
    return x0, y0, x1, y1


def _inside(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float,
    float]:  # fmt: skip
    """The box moved and cut so that it lies within the picture."""
    x0, y0, x1, y1 = box
    w, h = min(x1 - x0, size[0]), min(y1 - y0, size[1])
    x0, y0 = min(max(0.0, x0), size[0] - w), min(max(0.0, y0), size[1] - h)
    return x0, y0, min(x0 + w, size[0]), min(y0 + h, size[1])


def _given(pixels: Pixels, width: int, height: int, ambient: Factors, palette: tuple[Rgb, ...]) -> Backdrop:
    """A studio's own background, covering the frame and the camera's margin; the light tints it a little."""
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]), "RGB")
    margin = MARGIN * height
    w, h = width + 2 * margin, height + 2 * margin
    scale = max(w / image.width, h / image.height)
    size = (max(1, math.ceil(image.width * scale)), max(1, math.ceil(image.height * scale)))
    image = image.resize(size, Image.Resampling.BICUBIC)
    gentle = tuple(1 - 0.25 * (1 - a) for a in ambient)
    image = graded(image, grading((gentle[0], gentle[1], gentle[2]), palette, 0.0))
    origin = ((image.width - width) / 2, (image.height - height) / 2)
    return Backdrop((Layer(Cutout(image, None, origin), 0.6),), Window(width / height / 2, 0.5, 1.0, MARGIN))


def _vignette(width: int, height: int) -> Image.Image:
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = (np.arange(height) + 0.5) / height * 2 - 1
    fall = 1 - 0.16 * np.clip((x[None, :] ** 2 + y[:, None] ** 2) / 2, 0, 1) ** 1.5
    return Image.fromarray((fall * 255).round().astype(np.uint8), "L").convert("RGB")
