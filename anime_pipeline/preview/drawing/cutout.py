"""Cut-outs: colour and alpha kept apart and trimmed, which makes laying them over a frame twice as fast."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from anime_pipeline.preview.drawing.pen import Point


@dataclass(frozen=True, eq=False)
class Cutout:
    """An RGB picture, its alpha (None where all is opaque) and the pixel on it that is its origin."""

    colour: Image.Image
    alpha: Image.Image | None
    origin: Point

    @property
    def size(self) -> tuple[int, int]:
        return self.colour.size


def cut_out(image: Image.Image, origin: Point) -> Cutout | None:
    """The visible part of an RGBA picture; None where nothing is visible."""
    box = image.getbbox()
    if box is None:
        return None
    if image.getchannel("A").getextrema()[0] == 255:
        return Cutout(image.convert("RGB"), None, origin)
    # A transparent rim keeps resampled edges soft where the picture touches its box.
    # Its sides are multiples of four, so that the spreading of colours (see below) stays in step.
    right, low = (-(box[2] - box[0])) % 4, (-(box[3] - box[1])) % 4
    grown = (box[0] - 2, box[1] - 2, box[2] + 2 + right, box[3] + 2 + low)
    part = image.crop(grown)
    return Cutout(_bled(part), part.getchannel("A"), (origin[0] - grown[0], origin[1] - grown[1]))


def _bled(image: Image.Image) -> Image.Image:
    """The colours, spread a few pixels beyond the edges: sampling there must not pick up black."""
    small = image.reduce(4)
    spread = small.resize(image.size, Image.Resampling.BILINEAR).convert("RGB")
    solid = image.getchannel("A").point([0, *[255] * 255])
    return Image.composite(image.convert("RGB"), spread, solid)
