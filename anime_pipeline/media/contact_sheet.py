"""A contact sheet: every cut of a scene or an episode at one look, with how it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps

from anime_pipeline.media.lettering import Font, font_for, wrap

Status = Literal["passed", "failed", "incomplete", "missing"]

STATUS_COLOURS: dict[Status, str] = {
    "passed": "#3ecf8e",
    "failed": "#f25f5c",
    "incomplete": "#f2b84b",
    "missing": "#6b7280",
}
_BACKGROUND, _CARD, _SCREEN = "#12141a", "#1c1f28", "#0b0c10"
_BRIGHT, _TEXT, _DIM = "#f3f4f6", "#b6bcc8", "#7d8594"
_THUMBNAIL = (384, 216)
_MARGIN, _GAP, _PADDING, _HEADER = 40, 20, 14, 112
_BAR, _LINE = 5, 20
_CARD_SIZE = (_THUMBNAIL[0], _THUMBNAIL[1] + _BAR + _PADDING + 26 + 2 * _LINE + _PADDING)


@dataclass(frozen=True)
class Tile:
    """One cut on the sheet: a picture (uint8 H×W×3, None if there is none), its name, and how it stands.

    ``detail`` stands at the right of the label (kind and duration). Two ``lines`` have room, each shortened
    to the tile's width; a single line may take both.
    """

    image: npt.NDArray[np.uint8] | None
    label: str
    status: Status
    lines: tuple[str, ...] = ()
    detail: str = ""


def draw_contact_sheet(
    title: str, tiles: Sequence[Tile], columns: int = 4, subtitle: str = ""
) -> Image.Image:
    """Draw the tiles in rows of ``columns`` (at least 1) below the title; RGB."""
    columns = max(1, min(columns, len(tiles) or 1))
    rows = max(1, -(-len(tiles) // columns))
    width = 2 * _MARGIN + max(columns, 2) * (_CARD_SIZE[0] + _GAP) - _GAP
    height = _HEADER + rows * (_CARD_SIZE[1] + _GAP) - _GAP + _MARGIN
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    _draw_header(sheet, title, subtitle, tiles)
    for index, tile in enumerate(tiles):
        x = _MARGIN + index % columns * (_CARD_SIZE[0] + _GAP)
        y = _HEADER + index // columns * (_CARD_SIZE[1] + _GAP)
        sheet.paste(_draw_card(tile), (x, y), _rounded(_CARD_SIZE, 10))
    return sheet


def _draw_header(sheet: Image.Image, title: str, subtitle: str, tiles: Sequence[Tile]) -> None:
    draw = ImageDraw.Draw(sheet)
    room = sheet.width - 2 * _MARGIN
    _text(draw, (_MARGIN, 50), title, 34, _BRIGHT, room)
    left = _MARGIN
    if subtitle:
        left += int(_text(draw, (_MARGIN, 84), subtitle, 17, _DIM, room)) + 28
    for status, count in _counts(tiles):
        text = f"{count} {status}"
        length = int(font_for(text, 17).getlength(text))
        if left + 20 + length > sheet.width - _MARGIN:
            return
        sheet.paste(STATUS_COLOURS[status], (left, 72), _rounded((12, 12), 6))
        _text(draw, (left + 20, 84), text, 17, _TEXT, room)
        left += 20 + length + 24


def _counts(tiles: Sequence[Tile]) -> list[tuple[Status, int]]:
    counts = Counter(tile.status for tile in tiles)
    return [(status, counts[status]) for status in STATUS_COLOURS if counts[status]]


def _draw_card(tile: Tile) -> Image.Image:
    card = Image.new("RGB", _CARD_SIZE, _CARD)
    draw = ImageDraw.Draw(card)
    card.paste(_thumbnail(tile), (0, 0))
    bar = _THUMBNAIL[1]
    draw.rectangle((0, bar, card.width, bar + _BAR - 1), fill=STATUS_COLOURS[tile.status])
    room = card.width - 2 * _PADDING
    y = bar + _BAR + _PADDING + 15
    detail = font_for(tile.detail, 15).getlength(tile.detail)
    draw.text((card.width - _PADDING, y), tile.detail, _DIM, font_for(tile.detail, 15), anchor="rs")
    _text(draw, (_PADDING, y), tile.label, 20, _BRIGHT, room - detail - 10)
    for line in _two_lines(tile.lines, room):
        y += _LINE + (6 if y < bar + _BAR + _PADDING + 20 else 0)
        _text(draw, (_PADDING, y), line, 15, _TEXT, room)
    return card


def _two_lines(lines: tuple[str, ...], room: float) -> list[str]:
    if len(lines) == 1:
        return wrap(lines[0], font_for(lines[0], 15), room, 2)
    return list(lines[:2])


def _thumbnail(tile: Tile) -> Image.Image:
    if tile.image is not None:
        picture = Image.fromarray(tile.image)
        return ImageOps.pad(picture, _THUMBNAIL, Image.Resampling.LANCZOS, color=_SCREEN)
    empty = Image.new("RGB", _THUMBNAIL, _SCREEN)
    draw = ImageDraw.Draw(empty)
    for x in range(-_THUMBNAIL[1], _THUMBNAIL[0], 18):
        draw.line((x, _THUMBNAIL[1], x + _THUMBNAIL[1], 0), fill="#14161d", width=6)
    centre = (_THUMBNAIL[0] / 2, _THUMBNAIL[1] / 2)
    draw.text(centre, "no take", _DIM, font_for("no take", 18), anchor="mm")
    return empty


def _text(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, colour: str, room: float
) -> float:
    """Write one line with its baseline at ``at``, shortened to ``room`` pixels; its length."""
    font: Font = font_for(text, size)
    line = (wrap(text, font, room, 1) or [""])[0]
    draw.text(at, line, colour, font, anchor="ls")
    return font.getlength(line)


@lru_cache(maxsize=8)
def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """A mask with smooth round corners: drawn four times as large and made smaller."""
    large = Image.new("L", (size[0] * 4, size[1] * 4), 0)
    ImageDraw.Draw(large).rounded_rectangle((0, 0, large.width - 1, large.height - 1), radius * 4, fill=255)
    return large.resize(size, Image.Resampling.LANCZOS)
