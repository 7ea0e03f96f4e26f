"""Draws the pictures of METRICS.md: for each metric a take that passes and one that fails, with their scores.

    python docs/images/metrics/draw.py [FOLDER OF MODELS]

Takes are animatics, and what is done to them. A metric whose weights are not in the folder gets its two films
without numbers, and the picture says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from anime_pipeline.media.lettering import font_for
from anime_pipeline.media.plots import draw_lines
from anime_pipeline.preview.drawing import draw_shot
from anime_pipeline.preview.drawing.shot import Pixels, Shot, ShotFigure
from anime_pipeline.quality.engines.protocol import Score, TakeFacts
from anime_pipeline.quality.engines.registry import resolve
from anime_pipeline.quality.engines.stream import EngineStream

FOLDER = Path(__file__).parent
PALETTE = {"sea": "#1f4e6b", "dusk": "#3b3f6b", "lamp": "#f2b84b", "rain": "#7f93a8", "coat": "#e8c33c"}
MIKA = ShotFigure(
    "Mika",
    {"hair_style": "bob", "hair_color": "#2a9d8f", "eye_color": "#d98e04", "outfit_color": "#f2c230"},
    outfit="raincoat",
)
TORU = ShotFigure(
    "Grandpa Toru",
    {"hair_style": "short", "hair_color": "#e8e8e8", "accessory": "beard", "build": "broad"},
    outfit="coat",
)
SHOT = Shot(
    "video", 480, 270, 48, 24, 7, "harbour street", "dusk", palette=PALETTE, camera_angle="medium shot",
    action="walks in the rain", figures=(MIKA,),
)  # fmt: skip
FACTS = TakeFacts("video", 48, 24.0, 480, 270, palette=PALETTE, motion_expected=True)
TILE, GAP, SHOWN = (208, 117), 6, 4
BACKGROUND, BRIGHT, GOOD, BAD = "#12141a", "#f3f4f6", "#3ecf8e", "#f25f5c"


@dataclass(frozen=True)
class Pair:
    """A metric with its two films, what was done to the failing one, and which side of a threshold passes."""

    metric: str
    passing: Callable[[], Pixels]
    failing: Callable[[], Pixels]
    done: str
    asked: str = "reported"
    facts: TakeFacts = FACTS


def film(shot: Shot) -> Pixels:
    """A shot as frames × height × width × 3."""
    return np.stack(list(draw_shot(shot)))


def good() -> Pixels:
    """The take that passes."""
    return film(SHOT)


def black_in_the_middle() -> Pixels:
    frames = good()
    frames[20:32] = 0
    return frames


def exposure_that_jumps() -> Pixels:
    frames = good().astype(int)
    frames[1::2] += 70
    return frames.clip(0, 255).astype(np.uint8)


def two_places_in_turn() -> Pixels:
    frames = good()
    frames[1::2] = film(replace(SHOT, location="lighthouse", time_of_day="dawn"))[1::2]
    return frames


def frozen() -> Pixels:
    return np.repeat(good()[:1], 48, axis=0)


def other_colours() -> Pixels:
    return np.ascontiguousarray(255 - good()[..., [1, 2, 0]])


def two_shots() -> Pixels:
    other = replace(SHOT, location="shrine stairs", time_of_day="night", figures=(TORU,))
    return np.concatenate([good()[:24], film(other)[24:]])


def a_loop() -> Pixels:
    return film(replace(SHOT, kind="loop", frames=16))


def a_loop_that_ends_elsewhere() -> Pixels:
    other = replace(SHOT, kind="loop", frames=16, location="lighthouse", time_of_day="dawn")
    return np.concatenate([a_loop()[:8], film(other)[8:]])


def another_coat() -> Pixels:
    changed = replace(MIKA, outfit="kimono", attributes={**MIKA.attributes, "outfit_color": "#8a2be2"})
    return np.concatenate([good()[:24], film(replace(SHOT, figures=(changed,)))[24:]])


def close_up(figure: ShotFigure) -> Pixels:
    return film(replace(SHOT, frames=4, camera_angle="close-up", figures=(figure,), action="talks"))


def another_face() -> Pixels:
    hair = {"hair_style": "long", "hair_color": "#b03a2e", "eye_color": "#3a6ea5"}
    return close_up(replace(MIKA, attributes={**MIKA.attributes, **hair}))


def blurred() -> Pixels:
    small = [Image.fromarray(frame).resize((24, 14), Image.Resampling.BOX) for frame in good()[:4]]
    return np.stack([np.asarray(one.resize((480, 270), Image.Resampling.BILINEAR)) for one in small])


def engraved() -> Pixels:
    grey = good()[:4].mean(axis=3)
    lines = 128 + 100 * np.sin(np.arange(270)[:, None] * 1.6) * np.ones(480)
    return np.repeat(((grey > lines * 0.6) * 255).astype(np.uint8)[..., None], 3, axis=3)


def another_seed() -> Pixels:
    return film(replace(SHOT, seed=8))


LOOP = TakeFacts("loop", 16, 24.0, 480, 270, palette=PALETTE, motion_expected=True)
PAIRS = (
    Pair("media_contract", good, black_in_the_middle, "half a second is black", "at least 1"),
    Pair(
        "temporal_flicker",
        good,
        exposure_that_jumps,
        "every second frame is brighter",
        "at least 0.90 (animatic)",
    ),
    Pair("motion_smoothness", good, two_places_in_turn, "every second frame is elsewhere", "at least 0.95"),
    Pair("dynamic_degree", good, frozen, "one picture, held", "at least 0.0002"),
    Pair("palette_adherence", good, other_colours, "other colours"),
    Pair("shot_changes", good, two_shots, "another shot half-way"),
    Pair("temporal_lpips", good, two_places_in_turn, "every second frame is elsewhere", "at most 0.15"),
    Pair("loop_closure", a_loop, a_loop_that_ends_elsewhere, "it does not lead back", "at most 0.15", LOOP),
    Pair("subject_consistency", good, another_coat, "another coat half-way", "at least 0.90"),
    Pair("face_similarity", lambda: close_up(MIKA), another_face, "another face", "at least 0.70"),
    Pair("aesthetic", lambda: good()[:4], blurred, "hardly a picture", "at least 5.5"),
    Pair("style_adherence", lambda: good()[:4], engraved, "another style", "at least 0.85"),
    Pair("reproducible", good, another_seed, "other pixels", "at least 1"),
)


def main() -> None:
    """Draw every pair into this folder."""
    models = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else FOLDER / "no models"
    for pair in PAIRS:
        rows = [
            row(pair, make(), models, colour, said)
            for make, colour, said in (
                (pair.passing, GOOD, "as it was drawn"),
                (pair.failing, BAD, pair.done),
            )
        ]
        picture = Image.new("RGB", (rows[0].width, sum(one.height for one in rows)), BACKGROUND)
        top = 0
        for one in rows:
            picture.paste(one, (0, top))
            top += one.height
        picture.save(FOLDER / f"{pair.metric}.webp", "WEBP", quality=72, method=6)


def row(pair: Pair, frames: Pixels, models: Path, colour: str, said: str) -> Image.Image:
    """One film: four frames, what it is, its score and its values along the film."""
    score = measured(pair, frames, models)
    width = SHOWN * (TILE[0] + GAP) + GAP
    picture = Image.new("RGB", (width, TILE[1] + 34 + (46 if len(score.per_frame) > 4 else 0)), BACKGROUND)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((GAP, 8, GAP + 4, 26), colour)
    number = (
        f"{pair.metric} {score.value:.4f}, asked: {pair.asked}"
        if score.value is not None
        else (f"{pair.metric}: an illustration, not measured")
    )
    pen.text((GAP + 12, 17), f"{said} · {number}", BRIGHT, font_for(said, 15), anchor="lm")
    chosen = [at * len(frames) // SHOWN + len(frames) // (2 * SHOWN) for at in range(SHOWN)]
    if pair.metric == "loop_closure":
        chosen = [0, 7, 8, 15]
    if pair.metric in ("temporal_flicker", "motion_smoothness", "temporal_lpips"):
        chosen = [20, 21, 22, 23]
    for place, at in enumerate(chosen):
        tile = Image.fromarray(frames[min(at, len(frames) - 1)]).resize(TILE, Image.Resampling.LANCZOS)
        picture.paste(tile, (GAP + place * (TILE[0] + GAP), 34))
    if len(score.per_frame) > 4:
        picture.paste(draw_lines({"along the film": score.per_frame}), (GAP, 34 + TILE[1]))
    return picture


def measured(pair: Pair, frames: Pixels, models: Path) -> Score:
    """The film's score by the engine of the metric, or why there is none."""
    resolved = resolve([pair.metric], replace(pair.facts, frame_count=len(frames)), models)
    stream = EngineStream(resolved.engines, pair.facts)
    for frame in frames:
        stream.add(frame)
    return {**resolved.unavailable, **stream.finish()}[pair.metric]


if __name__ == "__main__":
    main()
