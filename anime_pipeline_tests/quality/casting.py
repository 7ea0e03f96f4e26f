"""Characters that are told by colour: pictures of one colour, and a face backend that sees colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from anime_pipeline.database.models import Character
from anime_pipeline_tests.quality.engines import tiny_onnx
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.quality.studio import Studio

RED, BLUE, GREEN = (200, 40, 30), (30, 50, 200), (40, 190, 60)
ONE_FACE = ((64, 64, 24, 24, 0.9),)
TWO_FACES = (*ONE_FACE, (20, 20, 16, 16, 0.8))
NO_FACE = ((64, 64, 24, 24, 0.1),)


def lay_ccip(shelf: Shelf, faces: Sequence[Sequence[float]] = ONE_FACE) -> None:
    """A ccip that finds these faces (centre, size, confidence at 128 × 128) in every picture."""
    shelf.lay("ccip", tiny_onnx.mean_colours([384, 384]), tiny_onnx.distances())
    shelf.lay("anime-face", tiny_onnx.yolo_of(np.array(faces, np.float32), 128))


def painted(colour: Sequence[int], side: int = 64, shade: int = 0) -> npt.NDArray[np.uint8]:
    """A picture of one colour with a little texture; ``shade`` makes it another picture."""
    picture = np.full((side, side, 3), colour, np.uint8)
    picture[::4] = np.clip(np.array(colour) + 20 + shade, 0, 255)
    return picture


def picture_file(folder: Path, name: str, colour: Sequence[int], shade: int = 0) -> Path:
    """Such a picture as a file."""
    path = folder / f"{name}.png"
    Image.fromarray(painted(colour, shade=shade)).save(path)
    return path


def add_character(studio: Studio, name: str) -> Character:
    """A character of the studio's project."""
    return studio.add(Character(name=name, project_id=studio.project.id))
