"""Files from frames: PNG with its graph inside, animated WebP, H.264 in mp4 with equal bytes every time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from anime_pipeline.preview.frames import Pixels

_BT709 = 1  # its number in H.264's colour description, for primaries, transfer and matrix
_LIMITED_RANGE = 1
# The same graph must give the same pixels, every time and on every machine: with two threads, x264 gave other
# bytes in one run of five, and what it writes depends a little on the CPU unless told not to.
_X264 = "threads=1:cpu-independent=1:bframes=0"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name to write to; the file appears under ``path`` when it is complete, or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def save_png(
    path: Path, frame: Pixels, prompt: Mapping[str, Any], extra_pnginfo: Mapping[str, Any] | None
) -> None:
    """Write one picture; the graph and each key of ``extra_pnginfo`` become text chunks of JSON."""
    info = PngInfo()
    info.add_text("prompt", json.dumps(prompt))
    for key, value in (extra_pnginfo or {}).items():
        info.add_text(key, json.dumps(value))
    with whole_file(path) as part:
        Image.fromarray(frame).save(part, format="PNG", pnginfo=info, compress_level=4)


def save_webp(
    path: Path, frames: Iterable[Pixels], *, fps: float, lossless: bool, quality: int, method: int
) -> None:
    """Write an animation that loops for ever. WebP's encoder joins neighbouring frames that are equal."""
    pictures = (Image.fromarray(frame) for frame in frames)
    first = next(pictures)
    with whole_file(path) as part:
        first.save(
            part,
            format="WEBP",
            save_all=True,
            append_images=pictures,
            duration=round(1000.0 / fps),
            loop=0,
            lossless=lossless,
            quality=quality,
            method=method,
        )


def save_mp4(path: Path, frames: Iterable[Pixels], *, width: int, height: int, fps: float) -> int:
    """Encode while the frames are drawn: H.264, yuv420p, BT.709, CRF 12, index in front; returns the count.

    Raises ValueError for an odd width or height, which yuv420p can't hold, and for a film without frames.
    """
    if width % 2 or height % 2:
        raise ValueError(f"H.264 with yuv420p needs an even width and height, not {width}x{height}")
    rate = Fraction(fps).limit_denominator(1001)
    count, converter = 0, VideoReformatter()  # one for all frames: setting it up costs as much as its work
    with whole_file(path) as part:
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(str(part), "w", format="mp4", options=options) as container:
            stream = _h264_stream(container.add_stream("libx264", rate=rate), width, height, rate)
            for frame in frames:
                container.mux(stream.encode(_picture(frame, count, rate, converter)))
                count += 1
            if not count:
                raise ValueError("a film needs at least one frame")
            container.mux(stream.encode(None))
    return count


def _h264_stream(stream: VideoStream, width: int, height: int, rate: Fraction) -> VideoStream:
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = {"crf": "12", "preset": "veryfast", "tune": "animation", "x264-params": _X264}
    context = stream.codec_context
    context.time_base = 1 / rate
    context.gop_size = max(1, round(rate))  # a key frame per second, so that a player can seek
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _LIMITED_RANGE
    return stream


def _picture(frame: Pixels, number: int, rate: Fraction, converter: VideoReformatter) -> av.VideoFrame:
    given = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    picture = converter.reformat(
        given, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
    picture.pts, picture.time_base = number, 1 / rate
    return picture
