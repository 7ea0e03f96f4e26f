"""Defends what people look at: a sheet shows each tile's picture and status, thumbnails stay small, and text
never runs out of its room."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor, ImageFont

from anime_pipeline.media.contact_sheet import STATUS_COLOURS, Status, Tile, draw_contact_sheet
from anime_pipeline.media.lettering import wrap
from anime_pipeline.media.thumbnail import MAX_BYTES, webp_thumbnail

PICTURE = np.full((90, 160, 3), (10, 200, 250), np.uint8)


def colours(sheet: Image.Image) -> dict[tuple[int, int, int], int]:
    values, counts = np.unique(np.asarray(sheet).reshape(-1, 3), axis=0, return_counts=True)
    return {tuple(map(int, value)): int(count) for value, count in zip(values, counts, strict=True)}  # type: ignore[misc]


@pytest.mark.parametrize("status", STATUS_COLOURS)
def test_a_status_has_its_bar(status: Status) -> None:
    found = colours(draw_contact_sheet("Lantern Post", [Tile(PICTURE, "c0010", status)]))
    assert found[ImageColor.getrgb(STATUS_COLOURS[status])] >= 384 * 5  # type: ignore[index]


def test_a_missing_picture_is_said_and_others_are_shown() -> None:
    tiles = [Tile(PICTURE, "c0010", "passed"), Tile(None, "c0020", "missing", ("no take selected",))]
    assert colours(draw_contact_sheet("Lantern Post", tiles))[(10, 200, 250)] > 384 * 200
    assert (10, 200, 250) not in colours(draw_contact_sheet("Lantern Post", tiles[1:]))


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(0, 4, 1), (1, 4, 1), (4, 4, 1), (5, 4, 2), (3, 1, 3)]
)
def test_tiles_stand_in_rows(count: int, columns: int, rows: int) -> None:
    tiles = [
        Tile(PICTURE, f"c{index:04}", "passed", ("flicker 0.01", "motion 0.9")) for index in range(count)
    ]
    one = draw_contact_sheet("", tiles[:1], columns).height
    sheet = draw_contact_sheet("", tiles, columns)
    assert sheet.mode == "RGB"
    assert (sheet.height - one) % (rows - 1 or 1) == 0
    assert (sheet.height > one) is (rows > 1)


@given(st.text(max_size=200), st.integers(20, 300), st.integers(1, 3))
def test_lines_fit_their_room(text: str, width: int, max_lines: int) -> None:
    font = ImageFont.load_default(15)
    lines = wrap(text, font, width, max_lines)
    assert len(lines) <= max_lines
    assert all(font.getlength(line) <= width or len(line) <= 2 for line in lines)
    if not any(line.endswith("…") for line in lines):
        assert "".join(lines).replace(" ", "") == "".join(text.split())


def test_lines_break_at_spaces_and_end_in_an_ellipsis() -> None:
    font = ImageFont.load_default(15)
    assert wrap("the rain starts again tonight", font, 110, 3) == ["the rain starts", "again tonight"]
    [line] = wrap("the rain starts again tonight", font, 110, 1)
    assert line.startswith("the rain st")
    assert line.endswith("…")


@pytest.mark.parametrize("size", [(720, 1280), (100, 60), (2, 900)])
def test_thumbnails_are_small(size: tuple[int, int]) -> None:
    height, width = size
    wave = np.sin(np.arange(height)[:, None] / 7) * np.cos(np.arange(width)[None, :] / 11)
    frame = np.repeat(((wave + 1) * 127).astype(np.uint8)[..., None], 3, axis=2)
    data = webp_thumbnail(frame)
    assert len(data) <= MAX_BYTES
    with Image.open(BytesIO(data)) as picture:
        assert picture.format == "WEBP"
        assert picture.width == min(width, 320)
        assert picture.height == max(1, round(height * picture.width / width))
