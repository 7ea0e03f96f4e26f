"""The made production's file, and its import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from anime_pipeline.settings import Settings
from anime_pipeline_tests.story.files import import_file

PHASE_OF_KIND = {"still": "phase_1_still", "loop": "phase_2_loop", "video": "phase_3_video"}
WORKFLOWS = {"still": "sdxl-still", "loop": "animatediff-loop", "video": "wan-video"}
CUTS_IN_SCENE = 20
NAMES = ("Mika", "Toru", "Ren", "Saki", "Hana", "Jun", "Aoi", "Kenji", "Yui", "Daichi", "Emi", "Sora")
PLACES = ("harbour", "tower", "market hall", "bamboo path", "post office", "ferry deck", "shrine stairs")
TIMES = ("dawn", "noon", "dusk", "night")
CAMERAS = ("wide", "close-up", "medium shot", "low angle", "over the shoulder")


def import_story(settings: Settings, folder: Path, slug: str, cuts: int, episodes: int, takes: int) -> Path:
    """Write the production file into the folder and import it; its path."""
    path = folder / f"{slug}.yaml"
    data = story(slug, cuts, episodes, takes)
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    path.write_text(yaml.dump(data, Dumper=dumper, sort_keys=False, allow_unicode=True), encoding="utf-8")
    import_file(settings, path)
    return path


def story(slug: str, cuts: int, episodes: int, takes: int) -> dict[str, Any]:
    """The production as plain data, the same for the same arguments."""
    cast = [f"{name} of {slug}" for name in NAMES]
    shares = [cuts // episodes + (number < cuts % episodes) for number in range(episodes)]
    return {
        "project": {
            "slug": slug, "name": f"Made {slug}", "resolution": "96x64", "fps": 24, "workflows": WORKFLOWS,
        },
        "bible": {
            "art_style": "hand-painted backgrounds, clean line art, cel shading",
            "color_palette": {"sea": "#1f6f8b", "lamp": "#ffcc66", "night": "#14213d"},
            "negative_prompt": "blurry, extra fingers, watermark",
            "global_seed": 7,
            "mood_keywords": ["quiet", "warm"],
        },
        "characters": [_character(number, name) for number, name in enumerate(cast)],
        "episodes": [
            {"number": number, "title": f"Letter {number}", "scenes": _scenes(number, share, cast, takes)}
            for number, share in enumerate(shares, start=1)
        ],
    }  # fmt: skip


def _character(number: int, name: str) -> dict[str, Any]:
    colours = ("teal", "silver", "black", "auburn", "white")
    return {
        "name": name,
        "base_prompt": "a courier of the harbour town",
        "negative_tokens": ["hat"],
        "lora_model_path": f"{name.split()[0].lower()}.safetensors",
        "attributes": [
            {"type": "hair_color", "value": f"{colours[number % 5]} hair", "priority": 5},
            {"type": "eye_color", "value": f"{colours[(number + 2) % 5]} eyes", "priority": 4},
            {"type": "build", "value": "slender", "prompt_tokens": ["slender build"]},
            {"type": "outfit", "value": "blouse", "prompt_tokens": ["white blouse"]},
        ],
        "variations": [
            _variation("raincoat", "outfit", {"attributes": {"outfit": "raincoat"}}),
            _variation("uniform", "outfit", {"append": ["brass buttons"]}),
            _variation("smiling", "expression", {"append": ["big smile"]}),
        ],
    }


def _variation(name: str, kind: str, modifiers: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": kind, "prompt_modifiers": modifiers}


def _scenes(episode: int, cuts: int, cast: list[str], takes: int) -> list[dict[str, Any]]:
    scenes = []
    for number, first in enumerate(range(0, cuts, CUTS_IN_SCENE)):
        turn = episode * 7 + number
        present = [cast[(turn + step) % len(cast)] for step in range(3)]
        scenes.append(
            {
                "number": number + 1,
                "location": PLACES[turn % len(PLACES)],
                "time_of_day": TIMES[turn % len(TIMES)],
                "mood": "hopeful",
                "cast": [
                    {"character": present[0], "costume_variant": "raincoat", "emotional_state": "smiling"},
                    {"character": present[1], "costume_variant": "uniform"},
                    {"character": present[2], "emotional_state": "calm"},
                ],
                "cuts": [
                    _cut(turn, place, present, takes) for place in range(min(CUTS_IN_SCENE, cuts - first))
                ],
            }
        )
    return scenes


def _cut(turn: int, place: int, present: list[str], takes: int) -> dict[str, Any]:
    kind = ("still", "video", "loop", "video", "still")[place % 5]
    cut: dict[str, Any] = {
        "number": (place + 1) * 10,
        "kind": kind,
        "description": f"beat {place + 1} of the scene, letters in the rain",
        "camera_angle": CAMERAS[(turn + place) % len(CAMERAS)],
        "action_notes": "the lamp swings, she looks up",
        "takes": takes,
        "cast": [present[0], {"character": present[1 + place % 2], "expression": "smiling"}],
    }
    if kind != "still":
        cut["duration_frames"] = 16 if kind == "loop" else 121
    if kind == "video":
        cut["dialogue"] = [f"{present[0]}: The ferry will not wait for letter {place}."]
    if place % 10 == 3:  # a video, after a loop
        cut["continues"] = True
    return cut
