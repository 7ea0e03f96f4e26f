"""Slates: a page of the storyboard in place of a take that is not there yet."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from anime_pipeline.media.film import Frame
from anime_pipeline.media.lettering import font_for, wrap, wrap_evenly
from anime_pipeline.story.context import CutContext

_PAPER, _INK, _PENCIL, _PANEL, _HATCH = "#b9bbc0", "#2c2f36", "#5d626d", "#a9acb2", "#a1a4ab"


def slate_text(context: CutContext) -> list[str]:
    """All that a slate says, top to bottom: it decides the slate's picture."""
    seconds = context.film_frames / context.fps
    return [
        context.cut_key,
        f"{context.kind} · {context.film_frames} frames · {seconds:.1f} s",
        context.description or "No description",
        " · ".join(text for text in (context.location, context.time_of_day, context.camera_angle) if text),
        "no take selected",
    ]


def draw_slate(context: CutContext, width: int, height: int) -> Frame:
    """A storyboard page in greys for a cut, uint8 height × width × 3."""
    key, length, description, place, state = slate_text(context)
    unit = min(width / 16, height / 9)
    page = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(page)
    left, top, right, bottom = unit, 1.55 * unit, width - unit, height - 1.55 * unit
    _panel(page, draw, (left, top, right, bottom), unit)
    _write(draw, (left, 0.8 * unit), key, 0.5 * unit, _INK, "lm", right - left)
    _write(draw, (right, 0.8 * unit), length, 0.34 * unit, _PENCIL, "rm", (right - left) / 2.2)
    size = 0.56 * unit
    lines = wrap_evenly(description, font_for(description, size), right - left - 2 * unit, 4)
    y = (top + bottom) / 2 - (len(lines) - 1) * 0.4 * unit
    for line in lines:
        draw.text((width / 2, y), line, _INK, font_for(line, size), anchor="mm")
        y += 0.8 * unit
    _write(draw, (left, height - 0.8 * unit), place, 0.34 * unit, _PENCIL, "lm", (right - left) * 0.62)
    _write(draw, (right, height - 0.8 * unit), state.upper(), 0.34 * unit, _INK, "rm", (right - left) * 0.36)
    return np.asarray(page)


def _panel(
    page: Image.Image, draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], unit: float
) -> None:
    """The empty picture of a storyboard: hatched, framed, with crop marks at its corners."""
    left, top, right, bottom = (round(side) for side in box)
    panel = Image.new("RGB", (right - left, bottom - top), _PANEL)
    hatch = ImageDraw.Draw(panel)
    for x in range(-panel.height, panel.width, max(2, round(0.35 * unit))):
        hatch.line((x, panel.height, x + panel.height, 0), fill=_HATCH, width=max(1, round(0.05 * unit)))
    page.paste(panel, (left, top))
    thin, mark = max(1, round(0.03 * unit)), round(0.35 * unit)
    draw.rectangle((left, top, right, bottom), outline=_PENCIL, width=thin)
    for x, inward in ((left, 1), (right, -1)):
        for y, down in ((top, 1), (bottom, -1)):
            corner = (x + inward * mark, y + down * mark)
            draw.line((*corner, corner[0] + inward * mark, corner[1]), fill=_INK, width=2 * thin)
            draw.line((*corner, corner[0], corner[1] + down * mark), fill=_INK, width=2 * thin)


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: float,
    colour: str,
    anchor: str,
    room: float,
) -> None:
    font = font_for(text, size)
    for line in wrap(text, font, room, 1):
        draw.text(at, line, colour, font, anchor=anchor)
