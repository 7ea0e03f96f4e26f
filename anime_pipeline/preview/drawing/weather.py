"""Rain, snow, petals, fireflies, wind and lightning: particles whose paths the clock closes in loops."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from anime_pipeline.preview.drawing.clock import Clock
from anime_pipeline.preview.drawing.colours import Floats, Rgb, mix
from anime_pipeline.preview.drawing.pen import radial
from anime_pipeline.preview.drawing.seeds import generator

_PETAL: Rgb = (250, 190, 206)
_FIREFLY: Rgb = (214, 255, 130)


@dataclass(frozen=True)
class Cloud:
    """A cloud of particles: start x, start height, speed, size and phase of each, all 0 … 1."""

    x: Floats
    y: Floats
    speed: Floats
    size: Floats
    phase: Floats

    @staticmethod
    def of(count: int, *name: object) -> Cloud:
        """``count`` particles that follow from the name."""
        rows = generator(*name).uniform(size=(5, count))
        return Cloud(*rows)

    def fall(self, clock: Clock, slow: float, fast: float) -> Floats:
        """How far each has fallen, 0 … 1, wrapping; ``slow`` and ``fast`` are falls a second."""
        rates = slow + (fast - slow) * self.speed
        if clock.still:
            return np.asarray(self.y, dtype=np.float64)
        turns = [clock.turns(float(rate)) for rate in rates]
        return np.asarray((self.y + np.asarray(turns)) % 1.0, dtype=np.float64)


@dataclass
class Air:
    """Everything in the air of one shot, drawn over each frame."""

    weather: frozenset[str]
    width: int
    height: int
    seed: int
    dark: float
    _clouds: dict[str, Cloud] = field(default_factory=dict)
    _lights: dict[tuple[int, int, int], Image.Image] = field(default_factory=dict)

    def draw(self, frame: Image.Image, clock: Clock) -> None:
        """Draws all weather on an RGB frame."""
        if "fireflies" in self.weather:
            self._fireflies(frame, clock)
        if "petals" in self.weather:
            self._petals(frame, clock)
        if "snow" in self.weather:
            self._snow(frame, clock)
        if "rain" in self.weather:
            self._rain(frame, clock)
        if "wind" in self.weather:
            self._wind(frame, clock)
        if "mist" in self.weather:
            self._mist(frame, clock)
        if "lightning" in self.weather:
            self._lightning(frame, clock)

    def _cloud(self, name: str, count: int) -> Cloud:
        if name not in self._clouds:
            self._clouds[name] = Cloud.of(count, "air", name, self.seed)
        return self._clouds[name]

    def _rain(self, frame: Image.Image, clock: Clock) -> None:
        slope = 0.16 + 0.2 * ("wind" in self.weather)
        for name, count, length, alpha, slow, fast in (("far", 110, 0.055, 70, 1.3, 1.6),
            ("near", 46, 0.12, 105, 1.9, 2.4)):  # fmt: skip
            cloud = self._cloud("rain" + name, count)
            down = cloud.fall(clock, slow, fast)
            mask = Image.new("L", frame.size)
            pen = ImageDraw.Draw(mask)
            span = length * self.height
            y = down * (self.height + 2 * span) - span
            x = cloud.x * (self.width * 1.4) - self.width * 0.05 - y * slope
            weight = max(1, round(self.height / (480 if name == "near" else 720)))
            for px, py, size in zip(x, y, cloud.size, strict=True):
                reach = span * (0.6 + 0.4 * size)
                pen.line((px, py, px - reach * slope, py + reach), fill=alpha, width=weight)
            frame.paste((214, 228, 246), (0, 0), mask)

    def _snow(self, frame: Image.Image, clock: Clock) -> None:
        cloud = self._cloud("snow", 120)
        down = cloud.fall(clock, 0.10, 0.24)
        drift = np.asarray([clock.wave(0.3, float(p)) for p in cloud.phase]) * 0.03
        for px, py, size in zip((cloud.x * 1.1 - 0.05 + drift) * self.width,
            (down * 1.1 - 0.05) * self.height, cloud.size, strict=True):  # fmt: skip
            self._light(frame, px, py, (0.004 + 0.010 * size**2) * self.height, (255, 255, 255), 255)

    def _petals(self, frame: Image.Image, clock: Clock) -> None:
        cloud = self._cloud("petals", 34)
        down = cloud.fall(clock, 0.10, 0.2)
        pen = ImageDraw.Draw(frame, "RGBA")
        for x0, y0, size, phase in zip(cloud.x, down, cloud.size, cloud.phase, strict=True):
            px = ((x0 - 0.22 * y0 + 0.02 * clock.wave(0.5, float(phase))) % 1.1 - 0.05) * self.width
            py = (y0 * 1.1 - 0.05) * self.height
            reach = (0.009 + 0.012 * size) * self.height
            flip = math.cos(2 * math.pi * (clock.turns(0.6) + phase))
            angle = 2 * math.pi * phase + 0.5 * math.sin(2 * math.pi * (clock.turns(0.4) + phase))
            c, s = math.cos(angle), math.sin(angle)
            shape = [(-1.0, 0.0), (-0.3, -0.55 * flip), (0.75, -0.4 * flip), (0.6, 0.0), (0.75, 0.4 * flip),
                (-0.3, 0.55 * flip)]  # fmt: skip
            colour = mix(_PETAL, (120, 70, 110), 0.4 * self.dark + (0.12 if flip < 0 else 0.0))
            pen.polygon([(px + reach * (x * c - y * s), py + reach * (x * s + y * c)) for x, y in shape],
                fill=(*colour, 235))  # fmt: skip

    def _fireflies(self, frame: Image.Image, clock: Clock) -> None:
        cloud = self._cloud("fireflies", 26)
        for x0, y0, speed, size, phase in zip(cloud.x, cloud.y, cloud.speed, cloud.size, cloud.phase,
            strict=True):  # fmt: skip
            px = (x0 + 0.022 * clock.wave(0.25 + 0.1 * speed, phase)) * self.width
            py = (0.28 + 0.68 * y0 + 0.03 * clock.wave(0.2 + 0.12 * speed, phase + 0.3)) * self.height
            pulse = 0.62 + 0.38 * math.sin(2 * math.pi * (clock.turns(0.35) + phase))
            self._light(frame, px, py, (0.022 + 0.028 * size) * self.height, _FIREFLY, round(235 * pulse))
            self._light(frame, px, py, (0.008 + 0.006 * size) * self.height, (255, 255, 220),
                round(255 * pulse))  # fmt: skip

    def _wind(self, frame: Image.Image, clock: Clock) -> None:
        cloud = self._cloud("wind", 9)
        across = cloud.fall(clock, 0.35, 0.6)
        mask = Image.new("L", frame.size)
        pen = ImageDraw.Draw(mask)
        for x0, y0, size in zip(across, cloud.x, cloud.size, strict=True):
            left, top, reach = (
                (1.3 - 1.6 * x0) * self.width,
                y0 * 0.9 * self.height,
                (0.1 + 0.16 * size) * self.width,
            )
            steps = np.linspace(0, 1, 14)
            path = [(left + t * reach, top + 0.012 * self.height * math.sin(5 * t + 6 * size)) for t in steps]
            pen.line(path, fill=60, width=max(1, self.height // 300), joint="curve")
        frame.paste((255, 255, 255), (0, 0), mask)

    def _mist(self, frame: Image.Image, clock: Clock) -> None:
        rows = np.linspace(0, 1, max(2, self.height // 4))[:, None]
        cols = np.linspace(0, 1, max(2, self.width // 4))[None, :]
        drift = clock.wave(0.12) * 0.06
        bank = np.sin(7 * (cols + drift) + 3 * rows) * np.sin(11 * rows - 4 * (cols - drift))
        alpha = np.clip(0.30 * np.exp(-(((rows - 0.68) / 0.25) ** 2)) * (0.8 + 0.3 * bank), 0, 1)
        mask = Image.fromarray((alpha * 255).round().astype(np.uint8), "L").resize(frame.size,
            Image.Resampling.BILINEAR)  # fmt: skip
        veil = mix((226, 232, 240), (70, 84, 126), self.dark)
        frame.paste(veil, (0, 0), mask)

    def _lightning(self, frame: Image.Image, clock: Clock) -> None:
        """A distant glow that swells and fades: a hard flash would be flicker."""
        swell = max(0.0, math.sin(2 * math.pi * (clock.turns(0.25) + 0.1))) ** 3 if not clock.still else 0.7
        bolt = self._cloud("bolt", 8)
        pen = ImageDraw.Draw(frame, "RGBA")
        x, path = (0.2 + 0.6 * float(bolt.x[0])) * self.width, []
        for i in range(8):
            path.append((x, i / 7 * 0.42 * self.height))
            x += (float(bolt.y[i]) - 0.5) * 0.06 * self.width
        if swell > 0.02:
            pen.line(path, fill=(236, 232, 255, round(220 * swell)), width=max(1, self.height // 180),
                joint="curve")  # fmt: skip
            frame.paste((206, 214, 255), (0, 0), Image.new("L", frame.size, round(34 * swell)))

    def _light(self, frame: Image.Image, x: float, y: float, radius: float, colour: Rgb, alpha: int) -> None:
        """A round light, placed to a quarter of a pixel so that slow ones glide."""
        px = max(2, round(radius))
        qx, qy = math.floor(4 * (x % 1)), math.floor(4 * (y % 1))
        key = (px, qx, qy)
        if key not in self._lights:
            mask = radial(px, colour).getchannel("A")
            size = (2 * px + 1, 2 * px + 1)
            self._lights[key] = mask.transform(size, Image.Transform.AFFINE, (1, 0, -qx / 4, 0, 1, -qy / 4),
                Image.Resampling.BILINEAR)  # fmt: skip
        shape = self._lights[key]
        if alpha < 255:
            shape = ImageChops.multiply(shape, Image.new("L", shape.size, max(0, alpha)))
        frame.paste(colour, (math.floor(x) - px, math.floor(y) - px), shape)
