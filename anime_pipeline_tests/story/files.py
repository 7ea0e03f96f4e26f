"""Productions for tests: one that is right, and what is needed to make it wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings
from anime_pipeline.story.importer import apply, compare
from anime_pipeline.story.mistakes import ProductionError, ProductionErrors
from anime_pipeline.story.production import Production
from anime_pipeline.story.reader import read_production

EXAMPLE = Path(__file__).parents[2] / "examples" / "lantern-post" / "production.yaml"

_SMALL = """
project: {slug: small, name: Small, resolution: 320x180, fps: 24}
bible:
  art_style: ink
  color_palette: {sea: "#102030"}
  negative_prompt: blur
  global_seed: 7
characters:
  - name: Mika
    attributes:
      - {type: hair_color, value: teal, priority: 5}
      - {type: outfit, value: blouse, prompt_tokens: [white blouse]}
    variations:
      - {name: raincoat, type: outfit, prompt_modifiers: {attributes: {outfit: raincoat}}}
      - {name: smiling, type: expression, prompt_modifiers: {append: [big smile]}}
  - name: Toru
    attributes:
      - {type: hair_color, value: white}
episodes:
  - number: 1
    title: One
    scenes:
      - number: 1
        location: harbour
        time_of_day: dusk
        cast:
          - {character: Mika, costume_variant: raincoat, emotional_state: smiling}
          - {character: Toru, emotional_state: calm}
        cuts:
          - {number: 10, kind: still, description: rain}
          - {number: 20, kind: loop, duration_frames: 16, cast: [Toru]}
          - number: 30
            kind: video
            duration_frames: 48
            dialogue: ["Mika: hello", "Toru: good evening"]
      - number: 2
        location: tower
        cast: [{character: Mika}]
        cuts:
          - {number: 10, kind: still}
"""


def small() -> dict[str, Any]:
    """A small right production as plain data, for the test to change as it likes."""
    data: dict[str, Any] = yaml.safe_load(_SMALL)
    return data


def write(folder: Path, data: Any) -> Path:
    """The data as ``production.yaml`` in the folder: text as it is, all else as JSON, which is YAML too."""
    path = folder / "production.yaml"
    text = data if isinstance(data, str) else json.dumps(data, indent=1, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, data: Any) -> Production:
    """The production that the data describes."""
    return read_production(write(folder, data))


def import_file(settings: Settings, path: Path) -> None:
    """Import a production file, without the process that tells Dagster of its cuts."""
    production = read_production(path)
    with session_scope(settings) as session:
        apply(session, production, compare(session, production), MediaStore.of(settings))


def mistakes(folder: Path, data: Any) -> list[ProductionError]:
    """All that is wrong with the data."""
    try:
        read(folder, data)
    except ProductionErrors as errors:
        return list(errors.errors)
    return []


def picture(path: Path, color: str = "red", size: tuple[int, int] = (8, 6)) -> Path:
    """A picture file in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path
