"""Cuts that need no model: EmptyImage, ImageAddNoise, SaveImage. What is left is the pipeline's own cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from anime_pipeline.database import migrations, server
from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.planning import plan_cuts
from anime_pipeline.settings import Settings
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline_tests.story.files import import_file

SIZE = 64
PREVIEW = [sys.executable, "-m", "anime_pipeline.preview"]


def noise_graph(seed: int = 0, prefix: str = "out") -> dict[str, Any]:
    """One picture of noise in API format."""
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": SIZE, "height": SIZE, "batch_size": 1, "color": 3368601},
            "_meta": {"title": "Empty"},
        },
        "2": {
            "class_type": "ImageAddNoise",
            "inputs": {"image": ["1", 0], "seed": seed, "strength": 0.3},
            "_meta": {"title": "Noise"},
        },
        "3": {
            "class_type": "SaveImage",
            "inputs": {"images": ["2", 0], "filename_prefix": prefix},
            "_meta": {"title": "Save"},
        },
    }


def lay_workflow(folder: Path) -> Path:
    """Write the template ``model-free`` into a folder of workflows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model-free.json").write_text(json.dumps(noise_graph()))
    slots = {
        "seed": {"node": "Noise", "input": "seed"},
        "width": {"node": "Empty", "input": "width"},
        "height": {"node": "Empty", "input": "height"},
        "output_prefix": {"node": "Save", "input": "filename_prefix"},
    }
    sidecar = {"description": "Noise.", "serves": ["still"], "output": "image", "slots": slots}
    (folder / "model-free.yaml").write_text(yaml.safe_dump(sidecar))
    return folder


def production_file(path: Path, cuts: int, slug: str = "noise") -> Path:
    """Write a production of so many model-free stills, fifty to a scene."""
    numbers = list(range(cuts))
    scenes = [
        {
            "number": scene + 1,
            "cuts": [
                {"number": 10 * (n % 50 + 1), "kind": "still", "workflow": "model-free"}
                for n in numbers[50 * scene : 50 * scene + 50]
            ],
        }
        for scene in range((cuts + 49) // 50)
    ]
    data = {
        "project": {"slug": slug, "name": slug.title(), "resolution": f"{SIZE}x{SIZE}", "fps": 24},
        "bible": {"art_style": "noise", "global_seed": 7},
        "episodes": [{"number": 1, "scenes": scenes}],
    }
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def open_studio(home: Path, **values: Any) -> Settings:
    """A home of its own with an embedded database, migrated, and the workflow laid."""
    settings = Settings(home=home, workflows=lay_workflow(home / "workflows"), **values)
    server.ensure_server(settings)
    migrations.upgrade(settings)
    return settings


def import_cuts(settings: Settings, cuts: int, slug: str = "noise") -> list[str]:
    """Import a production of model-free stills; the keys of all its cuts."""
    import_file(settings, production_file(settings.home / f"{slug}.yaml", cuts, slug))
    with session_scope(settings) as session:
        return active_cut_keys(session, slug)


def plan_all(settings: Settings, keys: list[str]) -> list[int]:
    """Plan the cuts; the jobs that must be rendered."""
    with session_scope(settings) as session:
        planned = plan_cuts(session, settings, keys)
    failed = [str(cut.reason) for cut in planned if cut.state == "failed"]
    assert not failed, failed[0]
    return [cut.job_id for cut in planned if cut.job_id is not None and cut.state == "queued"]
