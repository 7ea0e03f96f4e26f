"""Pictures and films as frames: counted, decoded one by one, and hashed by what is seen."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from PIL import Image, ImageSequence, UnidentifiedImageError

from anime_pipeline.media.errors import DamagedMediaError, MediaError, MissingMediaError
from anime_pipeline.media.film_writer import FilmWriter

__all__ = ["FilmWriter", "Frame", "MediaInfo", "frames_sha256", "iter_frames", "pixels_sha256", "probe"]

Frame = npt.NDArray[np.uint8]
"""A picture: uint8, height × width × 3, RGB."""

# What Pillow's decoders raise when they stumble over damaged bytes.
_BROKEN_PICTURE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_PICTURE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM")
DECODER_OPTIONS = {"err_detect": "explode"}  # a damaged film is an error, not a concealed guess


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds, found by decoding all of it.

    ``kind`` is ``video`` for more than one frame and for every film container. ``fps`` is None for a single
    picture; for animated pictures it is the mean over their frames, which formats with whole milliseconds or
    centiseconds round.
    """

    kind: Literal["image", "video"]
    width: int
    height: int
    frame_count: int
    fps: float | None
    codec: str


def probe(path: Path) -> MediaInfo:
    """Decode a picture or film from start to end and say what it holds.

    Raises :class:`MissingMediaError`, :class:`DamagedMediaError` for a file that is cut short or broken, and
    :class:`MediaError` for a file that is neither picture nor film.
    """
    return _probe_picture(path) if is_picture(path) else _probe_film(path)


def iter_frames(path: Path) -> Iterator[Frame]:
    """The frames of a picture (one), an animated picture or a film, in order, one in memory at a time.

    Transparent parts come out over black. Raises as :func:`probe` does, for damage when it is reached.
    """
    return _picture_frames(path) if is_picture(path) else _film_frames(path)


def pixels_sha256(path: Path) -> str:
    """sha256 of what a file shows: the same for the same pictures in any lossless format."""
    return frames_sha256(iter_frames(path))


def frames_sha256(frames: Iterable[Frame]) -> str:
    """sha256 over the shape and the RGB values of each frame, in order."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(f"{frame.shape[0]}x{frame.shape[1]}\n".encode())
        digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()


def is_picture(path: Path) -> bool:
    """Whether a file begins as a picture does, moving or not; anything else is tried as a film.

    Raises :class:`MissingMediaError`, and :class:`DamagedMediaError` for an empty file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except FileNotFoundError:
        raise MissingMediaError(f"{path} does not exist") from None
    if not head:
        raise DamagedMediaError(f"{path} is empty")
    return head.startswith(_PICTURE_MAGIC) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def _probe_picture(path: Path) -> MediaInfo:
    milliseconds, count, size = 0.0, 0, (0, 0)
    for image, shown in _pictures(path):
        milliseconds += float(image.info.get("duration", 0))
        count, size = count + shown, image.size
        codec = str(image.format or path.suffix.lstrip(".")).lower()
    fps = round(1000.0 * count / milliseconds, 6) if count > 1 and milliseconds else None
    return MediaInfo("video" if count > 1 else "image", size[0], size[1], count, fps, codec)


def _picture_frames(path: Path) -> Iterator[Frame]:
    for image, shown in _pictures(path):
        with _decoding(path):
            frame = _rgb(image)
        yield from (frame for _ in range(shown))


def _rgb(image: Image.Image) -> Frame:
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    if image.mode.startswith("I;16"):  # Pillow would cut off what is above 255: nearly all white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return np.asarray(image.convert("RGB"))


def _pictures(path: Path) -> Iterator[tuple[Image.Image, int]]:
    """Each stored picture with the number of frames it stands for.

    Encoders join equal neighbours into one picture that lasts longer; so a frame lasts as long as the
    shortest picture does.
    """
    with _decoding(path), Image.open(path) as opened:
        codec, animated = opened.format, getattr(opened, "n_frames", 1) > 1
        shortest = min(_durations(opened)) if animated else 0.0
        for image in ImageSequence.Iterator(opened):
            image.load()
            image.format = codec
            duration = float(image.info.get("duration", 0))
            yield image, max(1, round(duration / shortest)) if shortest else 1


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        yield
    except UnidentifiedImageError:
        raise DamagedMediaError(f"{path} is not a readable picture: its header is damaged") from None
    except _BROKEN_PICTURE as error:
        raise DamagedMediaError(f"{path} cannot be decoded as a picture: {error}") from None


def _durations(opened: Image.Image) -> Iterator[float]:
    for image in ImageSequence.Iterator(opened):
        image.load()
        yield float(image.info.get("duration", 0))


def _probe_film(path: Path) -> MediaInfo:
    with open_film(path) as container:
        stream = container.streams.video[0]
        count = sum(1 for _ in _decoded(container, path))
        fps = float(stream.average_rate) if stream.average_rate else None
        return MediaInfo("video", stream.width, stream.height, count, fps, stream.codec_context.name)


def _film_frames(path: Path) -> Iterator[Frame]:
    with open_film(path) as container:
        for frame in _decoded(container, path):
            yield cast(Frame, frame.to_ndarray(format="rgb24"))


def open_film(path: Path) -> InputContainer:
    """A film with pictures that can be decoded, for the caller to close. Raises :class:`MediaError`."""
    try:
        container = av.open(str(path), "r", metadata_errors="replace")
    except av.FFmpegError as error:
        raise MediaError(
            f"{path} is not a readable picture or film: {error.strerror}",
            "a film that was still being written when it was copied looks like this; copy or render it again",
        ) from None
    # Where the file breaks off within its index, a stream may be known and how to decode it not.
    if not any(getattr(stream, "codec_context", None) for stream in container.streams.video[:1]):
        container.close()
        raise MediaError(f"{path} holds no pictures that can be decoded")
    return container


def _decoded(container: InputContainer, path: Path) -> Iterator[av.VideoFrame]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    stream.codec_context.options = DECODER_OPTIONS
    count = 0
    try:
        for frame in container.decode(stream):
            count += 1
            yield frame
    except av.FFmpegError as error:
        raise DamagedMediaError(f"{path} is damaged after frame {count}: {error.strerror}") from None
    # Some containers say how many frames they should hold; a shorter film was cut off.
    if count < max(stream.frames, 1):
        raise DamagedMediaError(f"{path} is cut short: {count} of {max(stream.frames, 1)} frames can be read")
