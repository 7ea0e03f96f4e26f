"""Films as a browser plays them: H.264 in mp4, written whole or not at all."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from anime_pipeline.media.atomic import whole_file
from anime_pipeline.media.errors import MediaError

_BT709 = 1  # the code of BT.709 in H.264's colour description, for primaries, transfer and matrix alike
_LIMITED_RANGE = 1
# x264's bytes depend on its number of threads, so that is not the machine's. And they depend on the CPU: its
# AVX-512 code for macroblock trees even gives other bytes from one run to the next, which this turns off.
_X264 = "threads=4:lookahead-threads=1:cpu-independent=1"


class FilmWriter:
    """Writes frames to an mp4: H.264 High, yuv420p, BT.709, constant frame rate, index in front, no sound.

    The same frames and options give the same bytes, whatever the CPU and its load. The file takes its name
    when the ``with`` block ends well and at least one frame was written; otherwise nothing is left. yuv420p
    needs an even width and height: an odd one grows by one pixel, a copy of the edge; ``width`` and
    ``height`` say what the film has. ``quality`` is x264's CRF: 0 lossless to 51 worst, 18 looks like the
    original.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        fps: float | Fraction,
        quality: int = 18,
        preset: str = "veryfast",
    ) -> None:
        self.path = path
        self.frame_count = 0
        self.width, self.height = width + width % 2, height + height % 2
        self.fps = frame_rate(fps)
        self._given = (height, width, 3)
        self._options = {"crf": str(quality), "preset": preset, "tune": "animation", "x264-params": _X264}
        self._stack = ExitStack()
        self._converter = VideoReformatter()  # one for all frames: setting it up costs as much as its work

    def __enter__(self) -> FilmWriter:
        with ExitStack() as stack:
            temporary = stack.enter_context(whole_file(self.path))
            container = av.open(
                str(temporary), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}
            )
            self._container = stack.enter_context(container)
            self._stream = self._add_stream()
            self._stack = stack.pop_all()
        return self

    def write(self, frame: npt.NDArray[np.uint8]) -> None:
        """Append a frame, uint8 of height × width × 3 (RGB), in the size the film was opened with."""
        if frame.shape != self._given or frame.dtype != np.uint8:
            raise MediaError(
                f"{self.path.name}: frame {self.frame_count} is {frame.dtype} {frame.shape}, "
                f"the film takes uint8 {self._given}"
            )
        even = np.pad(
            frame, ((0, self.height - frame.shape[0]), (0, self.width - frame.shape[1]), (0, 0)), mode="edge"
        )
        given = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        picture = self._converter.reformat(
            given, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        picture.pts, picture.time_base = self.frame_count, 1 / self.fps
        self._container.mux(self._stream.encode(picture))
        self.frame_count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            if self.frame_count == 0:
                raise MediaError(f"{self.path.name}: a film needs at least one frame")
            self._container.mux(self._stream.encode(None))

    def _add_stream(self) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=self.fps, options=self._options)
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, "yuv420p"
        context = stream.codec_context
        context.time_base = 1 / self.fps
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED_RANGE
        return stream


def frame_rate(fps: float | Fraction) -> Fraction:
    """A frame rate as the exact fraction that films store: 23.976 is 24000/1001."""
    rate = Fraction(fps).limit_denominator(1001)
    if rate <= 0:
        raise MediaError(f"{fps} is not a frame rate")
    return rate
