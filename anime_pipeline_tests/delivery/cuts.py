"""Cuts and frames that the delivery tests are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anime_pipeline.media.film import Frame
from anime_pipeline.story.context import Bible, CutContext, CutKind, DialogueLine

_CUT = CutContext(
    cut_id=1,
    cut_key="lantern-post.e01.s001.c0010",
    scene_key="lantern-post.e01.s001",
    episode_key="lantern-post.e01",
    project_id=1,
    project_slug="lantern-post",
    kind="video",
    width=64,
    height=36,
    fps=24,
    duration_frames=48,
    workflow="animatic",
    takes_wanted=1,
    description="Mika runs down the harbour street",
    camera_angle="low",
    action_notes="",
    location="harbour street",
    time_of_day="dusk",
    mood="hurried",
    style_overrides={},
    bible=Bible(1, "", {}, "", "", "", 0),
    figures=(),
    dialogue=(),
    lip_flap=True,
    seed=None,
    background_sha256=None,
)


def cut_of(
    kind: CutKind = "video",
    duration_frames: int = 48,
    fps: int = 24,
    repeats: int = 1,
    dialogue: tuple[DialogueLine, ...] = (),
    description: str = _CUT.description,
) -> CutContext:
    """A cut of one kind and length, in a film of 64 × 36 pixels."""
    return replace(
        _CUT,
        kind=kind,
        duration_frames=duration_frames,
        fps=fps,
        repeats=repeats,
        dialogue=dialogue,
        description=description,
    )


def flat(grey: int, width: int = 64, height: int = 36) -> Frame:
    """A frame of one grey."""
    return np.full((height, width, 3), grey, np.uint8)


def numbered(number: int, width: int = 64, height: int = 36) -> Frame:
    """A frame that tells its number (0 to 63), also after encoding: six bars, each a bit."""
    frame = flat(90, width, height)
    for bit, bar in enumerate(np.array_split(np.arange(width), 6)):
        frame[: height // 2, bar] = 250 if number >> bit & 1 else 5
    return frame


def number_of(frame: Frame) -> int:
    """The number of a frame that :func:`numbered` made."""
    bars = np.array_split(frame[: len(frame) // 2].mean(axis=(0, 2)), 6, axis=0)
    return sum(1 << bit for bit, bar in enumerate(bars) if bar.mean() > 127)
