"""Burn-ins: slate, timecode and subtitles, set in Pillow's own font so that no font file is needed."""

from __future__ import annotations

import textwrap

from PIL import Image, ImageDraw, ImageFont

from anime_pipeline.preview.drawing.shot import Shot


def draw_overlay(frame: Image.Image, shot: Shot, index: int) -> None:
    """Draws what the shot asks for on an RGB frame."""
    if shot.slate:
        _strip(frame, shot.slate, left=True)
    if shot.timecode:
        _strip(frame, timecode(index, shot.fps), left=False)
    if shot.subtitles:
        line = next((line for line in shot.lines if line.start_frame <= index < line.end_frame), None)
        if line is not None and line.text:
            _subtitle(frame, line.text)


def timecode(frame: int, fps: int) -> str:
    """``hh:mm:ss:ff``."""
    seconds, rest = divmod(frame, fps)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest:02d}"


def _font(height: int, share: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8.0, height * share))


def _strip(frame: Image.Image, text: str, left: bool) -> None:
    font = _font(frame.height, 0.036)
    pen = ImageDraw.Draw(frame, "RGBA")
    x0, y0, x1, y1 = pen.textbbox((0, 0), text, font=font)
    pad = max(2, round(frame.height * 0.012))
    width, height = x1 - x0 + 2 * pad, y1 - y0 + 2 * pad
    x = pad if left else frame.width - width - pad
    pen.rectangle((x, pad, x + width, pad + height), fill=(12, 12, 22, 170))
    pen.text((x + pad - x0, 2 * pad - y0), text, font=font, fill=(244, 240, 228))


def _subtitle(frame: Image.Image, text: str) -> None:
    font = _font(frame.height, 0.052)
    pen = ImageDraw.Draw(frame)
    wide = max(1.0, pen.textlength("nnnnnnnnnn", font=font) / 10)
    lines = textwrap.wrap(text, max(8, int(frame.width * 0.86 / wide)))[:3]
    stroke = max(1, round(frame.height * 0.005))
    pen.multiline_text(
        (frame.width / 2, frame.height * 0.955), "\n".join(lines), font=font, anchor="md", align="center",
        fill=(255, 253, 244), stroke_width=stroke, stroke_fill=(18, 14, 26),
    )  # fmt: skip
