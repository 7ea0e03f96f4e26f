"""Defends the parameters of real graphs, as ComfyUI exports them, against what a person reads in each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anime_pipeline.rendering.extraction.parameters import Parameters, extract
from anime_pipeline_tests.rendering.extraction.recorded import EXPECTED

RECORDED = Path(__file__).parents[4] / "shared" / "comfyui-contract" / "api-prompts"
pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded graphs are not here")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_graph_gives_what_a_person_reads_in_it(name: str) -> None:
    expected = EXPECTED[name]
    found = extract(json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8")))
    samplers = [
        (
            s.seed, s.steps, s.cfg, s.sampler_name, s.scheduler, s.denoise, s.start_at_step, s.end_at_step,
            s.model, s.width, s.height, s.frames,
        )
        for s in found.samplers
    ]  # fmt: skip
    assert samplers == expected["samplers"]
    assert found.main == expected.get("main", 0)
    assert found.vae == expected.get("vae")
    assert (found.frames, found.fps) == expected.get("film", (None, None))
    if found.main_sampler is not None:
        check_main(found, expected)


def check_main(found: Parameters, expected: dict[str, Any]) -> None:
    main = found.main_sampler
    assert main is not None
    assert main.text_encoders == expected.get("encoders", ())
    assert main.guidance == expected.get("guidance")
    assert [(one.name, pytest.approx(one.strength_model), one.strength_clip) for one in main.loras] == [
        *expected.get("loras", [])
    ]
    assert [
        (one.name, pytest.approx(one.strength), one.start_percent, one.end_percent)
        for one in main.controlnets
    ] == [*expected.get("controlnets", [])]
    for side in ("positive", "negative"):
        prompt, begins = getattr(main, side), expected[side]
        assert (prompt is None) == (begins is None)
        assert (prompt or "").startswith(begins or "")
        assert bool(prompt) == bool(begins)
        assert expected.get(f"{side}_has", "") in (prompt or "")


def test_every_recorded_graph_has_its_expectation() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == set(EXPECTED)
