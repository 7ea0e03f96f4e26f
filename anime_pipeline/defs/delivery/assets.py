"""What leaves the house: a reel for each scene, a master for each episode."""

from collections.abc import Callable, Iterator

import dagster as dg

from anime_pipeline.defs.metadata import thumbnail
from anime_pipeline.defs.mistakes import said
from anime_pipeline.defs.partition_events import ONLY_RECORDED, Batch, Metadata, record_range
from anime_pipeline.defs.partitions import EPISODES, SCENES
from anime_pipeline.defs.quality.assets import quality_metrics
from anime_pipeline.defs.story.assets import episodes, scenes
from anime_pipeline.defs.studio import Studio
from anime_pipeline.delivery.masters import build_master
from anime_pipeline.delivery.reels import build_reel
from anime_pipeline.delivery.results import DeliveryResult
from anime_pipeline.delivery.sheets import build_contact_sheet
from anime_pipeline.errors import UserError
from anime_pipeline.media.film import iter_frames
from anime_pipeline.media.thumbnail import webp_thumbnail
from anime_pipeline.quality.scores import require_binding_gates, require_same_gates
from anime_pipeline.quality.verdicts import overrides_of

OWNERS = ["team:delivery"]


@dg.asset(
    partitions_def=SCENES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    dagster_type=ONLY_RECORDED,
    group_name="delivery",
    owners=OWNERS,
    kinds={"ffmpeg"},
    code_version="1",
    output_required=False,
    deps=[dg.AssetDep(quality_metrics, partition_mapping=dg.AllPartitionMapping()), scenes],
)
def scene_reels(
    context: dg.AssetExecutionContext, studio: dg.ResourceParam[Studio]
) -> Iterator[dg.Output[None]]:
    """One scene as a film: the selected take of each cut in story order, a slate where none is selected."""

    def build(key: str) -> Metadata:
        with studio.session() as session:
            return _film_metadata(build_reel(session, studio.settings, key))

    yield from _deliver(context, "scenes", build)


@dg.asset(
    partitions_def=EPISODES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    dagster_type=ONLY_RECORDED,
    group_name="delivery",
    owners=OWNERS,
    kinds={"ffmpeg"},
    code_version="1",
    output_required=False,
    deps=[dg.AssetDep(scene_reels, partition_mapping=dg.AllPartitionMapping()), episodes],
)
def episode_masters(
    context: dg.AssetExecutionContext, studio: dg.ResourceParam[Studio]
) -> Iterator[dg.Output[None]]:
    """One episode as a film with its subtitles and contact sheet.

    It isn't built before the gates of the phases that its takes were made for have passed, or a person has
    overridden them by name.
    """

    def build(key: str) -> Metadata:
        with studio.session() as session:
            verdicts = require_binding_gates(session, key)
            overrides = overrides_of(verdicts)
            result = build_master(session, studio.settings, key, overrides=overrides)
            sheet = build_contact_sheet(session, studio.settings, key, overrides=overrides)
            require_same_gates(session, verdicts)
        return {
            **_film_metadata(result),
            "contact_sheet": dg.MetadataValue.path(str(sheet.path)),
            "thumbnail": thumbnail(webp_thumbnail(next(iter_frames(sheet.path)), 900, 60_000)),
        }

    yield from _deliver(context, "episodes", build)


def _deliver(
    context: dg.AssetExecutionContext, kind: str, build: Callable[[str], Metadata]
) -> Iterator[dg.Output[None]]:
    """Build each film of the run: one that can't be built costs the others nothing."""
    finished: dict[str, Metadata] = {}
    failed: dict[str, str] = {}
    for key in context.partition_keys:
        try:
            finished[key] = build(key)
        except UserError as error:
            failed[key] = said(error)
    asset = context.asset_key.to_user_string()
    yield from record_range(context.op_execution_context, asset, Batch(finished, failed, kind=kind))


def _film_metadata(result: DeliveryResult) -> dict[str, dg.MetadataValue]:
    return {
        "film": dg.MetadataValue.path(str(result.path)),
        "frame_count": dg.MetadataValue.int(result.frame_count),
        "duration_seconds": dg.MetadataValue.float(result.duration_seconds),
        "slates": dg.MetadataValue.int(len(result.slates)),
        "overrides": dg.MetadataValue.text("; ".join(result.overrides) or "none: its gates have passed"),
        "built": dg.MetadataValue.bool(result.built),
    }
