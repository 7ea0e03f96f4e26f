"""A studio with a calm artist, and an ephemeral Dagster instance that runs jobs on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import numpy as np
import pytest

from anime_pipeline.definitions import defs
from anime_pipeline.defs.delivery.assets import episode_masters
from anime_pipeline.defs.partitions import sync_story_partitions
from anime_pipeline.defs.run_requests import range_tags
from anime_pipeline.defs.studio import Studio as StudioResource
from anime_pipeline_tests.rendering import studio as rendering_studio
from anime_pipeline_tests.rendering.conftest import server, studio  # noqa: F401


class CalmArtist(rendering_studio.QuickArtist):
    """Draws a bright square that glides over a dark ground: it moves, and nothing flashes."""

    def draw(self, shot: Any) -> Iterator[np.ndarray[Any, Any]]:
        self.shots.append(shot)
        for frame in range(shot.frames):
            picture = np.full((shot.height, shot.width, 3), (40, 60, 90), np.uint8)
            left = 10 + frame
            picture[20:40, left : left + 20] = (230, 200, shot.seed % 200)
            yield picture


@pytest.fixture
def artist(monkeypatch: pytest.MonkeyPatch) -> CalmArtist:
    """What the preview server of these tests draws with."""
    one = CalmArtist()
    monkeypatch.setattr("anime_pipeline.preview.drawing.draw_shot", one.draw, raising=False)
    return one


@dataclass
class Line:
    """The production line: Dagster jobs on a studio."""

    studio: rendering_studio.Studio
    instance: dg.DagsterInstance

    def sync(self) -> None:
        """Register the story's partitions."""
        with StudioResource(self.studio.settings).session() as session:
            sync_story_partitions(self.instance, session)

    def run(self, job: str, keys: list[str]) -> dg.ExecuteInProcessResult:
        """Run a job over a range of partitions."""
        return self.execute(job, range_tags(keys))

    def execute(
        self, job: str, tags: Mapping[str, str], config: Mapping[str, Any] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run a job with these tags and this config."""
        return self._job(job).execute_in_process(
            instance=self.instance, tags=dict(tags), run_config=dict(config or {}), raise_on_error=False
        )

    def create_run(self, job: str, tags: Mapping[str, str], config: Mapping[str, Any]) -> dg.DagsterRun:
        """A run that is under way and does nothing."""
        return self.instance.create_run_for_job(
            self._job(job), tags=dict(tags), run_config=dict(config), status=dg.DagsterRunStatus.STARTED
        )

    def _job(self, job: str) -> dg.JobDefinition:
        return dg.Definitions.merge(
            dg.Definitions(resources={"studio": StudioResource(self.studio.settings)}),
            dg.Definitions(
                assets=defs.assets,
                asset_checks=defs.asset_checks,
                jobs=[*(defs.jobs or ()), dg.define_asset_job("masters_only", [episode_masters])],
                executor=defs.executor,
            ),
        ).resolve_job_def(job)

    def recorded(self, asset: str) -> set[str]:
        """Partitions of an asset that are materialized."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset)))


@pytest.fixture
def line(studio: rendering_studio.Studio) -> Iterator[Line]:  # noqa: F811
    """A line on an ephemeral Dagster instance."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Line(studio, instance)
