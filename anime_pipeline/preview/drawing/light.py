"""The light of a time of day and a mood: sky, ambient light, haze, rim light, lamps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from anime_pipeline.preview.drawing.colours import Rgb, hex_colour, mix

Factors = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """How a moment is lit. ``ambient`` multiplies colours; ``lamps`` and ``stars`` run from 0 to 1.

    ``sun`` is (x, y) of the sun or moon in the frame (shares of width and height), None where it is hidden.
    """

    sky: tuple[Rgb, Rgb, Rgb]
    ambient: Factors
    figure_ambient: Factors
    rim: Rgb
    haze: Rgb
    cloud: Rgb
    cloud_shade: Rgb
    lamps: float
    stars: float
    sun: tuple[float, float] | None
    moon: bool = False


def _light(
    sky: str, ambient: Factors, figure: Factors, rim: str, cloud: str, lamps: float, stars: float,
    sun: tuple[float, float], moon: bool = False,
) -> Light:  # fmt: skip
    top, middle, low = (hex_colour(c) for c in sky.split())
    light, dark = (hex_colour(c) for c in cloud.split())
    return Light(
        (top, middle, low), ambient, figure, hex_colour(rim), low, light, dark, lamps, stars, sun, moon
    )


LIGHTS: dict[str, Light] = {
    "dawn": _light("#5f7fb8 #d9a9b8 #ffd9a0", (0.86, 0.76, 0.80), (0.97, 0.90, 0.90), "#ffd7a0",
                   "#ffe3c9 #c795a8", 0.35, 0.12, (0.68, 0.52)),
    "morning": _light("#5aa7e0 #a5d6ee #f6ecd2", (1.0, 0.97, 0.92), (1.0, 0.99, 0.96), "#fff3cf",
                      "#ffffff #c9dced", 0.0, 0.0, (0.78, 0.22)),
    "day": _light("#3f8fdc #86c4ee #dff1f4", (1.0, 1.0, 0.98), (1.0, 1.0, 1.0), "#ffffff",
                  "#ffffff #bcd4ea", 0.0, 0.0, (0.72, 0.14)),
    "afternoon": _light("#4b94d2 #9bcbe2 #f7e3b9", (1.0, 0.95, 0.86), (1.0, 0.98, 0.93), "#ffe9b5",
                        "#fffaf0 #d6c8c0", 0.0, 0.0, (0.24, 0.28)),
    "sunset": _light("#4a4f93 #d9698a #ffb35c", (0.92, 0.66, 0.58), (1.0, 0.86, 0.78), "#ffb060",
                     "#ffb98a #8d5a86", 0.45, 0.05, (0.30, 0.50)),
    "dusk": _light("#2b3468 #6f5b96 #e59a86", (0.60, 0.54, 0.68), (0.92, 0.85, 0.90), "#ffb48a",
                   "#a887ac #54507f", 0.9, 0.25, (0.24, 0.60)),
    "evening": _light("#1f2a5c #43487f #a57396", (0.46, 0.45, 0.64), (0.86, 0.80, 0.90), "#c9b2ff",
                      "#6f6898 #3c3d6b", 1.0, 0.5, (0.74, 0.24), True),
    "night": _light("#0c1233 #1b2856 #38518a", (0.34, 0.39, 0.58), (0.79, 0.76, 0.88), "#a9c8ff",
                    "#43548a #263260", 1.0, 1.0, (0.74, 0.20), True),
}  # fmt: skip

_OVERCAST = {"rain": 0.55, "lightning": 0.7, "snow": 0.45, "mist": 0.5}


def light_for(time_of_day: str, weather: frozenset[str], tints: tuple[tuple[Rgb, float], ...] = ()) -> Light:
    """The light of a known time of day, greyed by bad weather and leaning to the mood's tints."""
    light = LIGHTS[time_of_day]
    for tint_colour, amount in tints:
        factors = _lean(light.ambient, tint_colour, amount)
        figure = _lean(light.figure_ambient, tint_colour, amount * 0.5)
        sky = (mix(light.sky[0], tint_colour, amount), mix(light.sky[1], tint_colour, amount),
               mix(light.sky[2], tint_colour, amount))  # fmt: skip
        light = replace(light, ambient=factors, figure_ambient=figure, sky=sky)
    grey = max((_OVERCAST.get(name, 0.0) for name in weather), default=0.0)
    if grey == 0.0:
        return light
    veil = mix(light.sky[1], (128, 136, 152), 0.35)
    top, middle, low = (mix(colour, veil, grey) for colour in light.sky)
    return replace(
        light, sky=(mix(top, (20, 26, 48), 0.15), middle, low), haze=mix(light.haze, veil, grey),
        cloud=mix(light.cloud, veil, grey), cloud_shade=mix(light.cloud_shade, (30, 36, 62), grey * 0.5),
        sun=None, stars=light.stars * 0.15, lamps=max(light.lamps, 0.4),
    )  # fmt: skip


def _lean(factors: Factors, colour: Rgb, amount: float) -> Factors:
    red, green, blue = (
        f * (1 - amount + amount * (0.45 + 0.75 * c / 255)) for f, c in zip(factors, colour, strict=True)
    )
    return red, green, blue
