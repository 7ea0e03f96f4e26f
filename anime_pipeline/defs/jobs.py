"""Jobs: what a person or a schedule launches by name."""

from __future__ import annotations

import dagster as dg

from anime_pipeline.defs.delivery.assets import episode_masters, scene_reels
from anime_pipeline.defs.quality.assets import quality_metrics
from anime_pipeline.defs.rendering.assets import frames
from anime_pipeline.defs.run_requests import RENDERS_TAG
from anime_pipeline.defs.story.assets import characters, cuts, episodes, projects, scenes

Selection = dg.AssetSelection
RENDERS = {RENDERS_TAG: "yes"}

describe_characters = dg.define_asset_job(
    "describe_characters", Selection.assets(characters), description="Record the cast."
)
describe_projects = dg.define_asset_job(
    "describe_projects", Selection.assets(projects), description="Record projects and judge their phases."
)
describe_scenes = dg.define_asset_job(
    "describe_scenes", Selection.assets(scenes), description="Record scenes as the story has them."
)
describe_cuts = dg.define_asset_job(
    "describe_cuts", Selection.assets(cuts), description="Record cuts as the story has them."
)
render_cuts = dg.define_asset_job(
    "render_cuts",
    Selection.assets(cuts, frames),
    description="Render the cuts that aren't current.",
    tags=RENDERS,
)
measure_cuts = dg.define_asset_job(
    "measure_cuts", Selection.assets(quality_metrics), description="Measure and judge what is rendered."
)
produce_cuts = dg.define_asset_job(
    "produce_cuts",
    Selection.assets(cuts, frames, quality_metrics),
    description="Render, measure and judge cuts in one run.",
    tags=RENDERS,
)
assemble_scenes = dg.define_asset_job(
    "assemble_scenes", Selection.assets(scenes, scene_reels), description="Build scene reels."
)
assemble_episodes = dg.define_asset_job(
    "assemble_episodes",
    Selection.assets(episodes, episode_masters),
    description="Judge the phases of episodes and build their masters.",
)

ALL_JOBS = [
    describe_characters,
    describe_projects,
    describe_scenes,
    describe_cuts,
    render_cuts,
    measure_cuts,
    produce_cuts,
    assemble_scenes,
    assemble_episodes,
]
