"""Text in pictures: a font that is always there, and lines that fit."""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Pillow's own font has no kana and no kanji; these are looked up where the system keeps its fonts.
_FIRST_EAST_ASIAN = 0x2E80
_EAST_ASIAN_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansJP-Regular.otf",
    "ipaexg.ttf",
    "ipag.ttf",
    "TakaoPGothic.ttf",
    "ヒラギノ角ゴシック W3.ttc",
    "Hiragino Sans GB.ttc",
)


def font_for(text: str, size: float) -> Font:
    """Pillow's font in ``size`` pixels (at least 1), or the system's for East Asian text if it has one."""
    return _font(any(ord(letter) >= _FIRST_EAST_ASIAN for letter in text), max(size, 1.0))


@lru_cache(maxsize=64)
def _font(east_asian: bool, size: float) -> Font:
    for name in _EAST_ASIAN_FONTS if east_asian else ():
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def wrap(text: str, font: Font, width: float, max_lines: int) -> list[str]:
    """Break text into at most ``max_lines`` lines of at most ``width`` pixels; the rest becomes ``…``.

    Breaks at spaces, and within a word only where the word alone is too wide.
    """
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest and len(lines) < max_lines:
        line = _head(rest, font, width)
        rest = rest[len(line) :].lstrip()
        lines.append(line.rstrip())
    if rest and lines:
        lines[-1] = _shortened(f"{lines[-1]} {rest}", font, width)
    return lines


def wrap_evenly(text: str, font: Font, width: float, max_lines: int) -> list[str]:
    """As :func:`wrap`, with lines of about one length instead of a last word alone."""
    lines = wrap(text, font, width, max_lines)
    if len(lines) < 2 or lines[-1].endswith("…"):
        return lines
    narrow, wide = font.getlength(" ".join(lines)) / len(lines), width
    while wide - narrow > 1:
        middle = (narrow + wide) / 2
        tried = wrap(text, font, middle, max_lines + 1)
        narrow, wide = (middle, wide) if len(tried) > len(lines) else (narrow, middle)
    return wrap(text, font, wide, max_lines)


def _head(text: str, font: Font, width: float) -> str:
    """The longest start of ``text`` that fits, ending at a space where there is one; at least one letter."""
    if font.getlength(text) <= width:
        return text
    end = _fitting(text, font, width)
    space = text.rfind(" ", 0, end + 1)
    return text[: space if space > 0 else end]


def _shortened(text: str, font: Font, width: float) -> str:
    room = width - font.getlength("…")
    return text[: _fitting(text, font, room)].rstrip(" .,;:") + "…"


def _fitting(text: str, font: Font, width: float) -> int:
    """How many letters of ``text`` fit into ``width``; at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low
