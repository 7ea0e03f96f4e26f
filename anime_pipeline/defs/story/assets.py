"""The story as assets: what the database holds of characters, episodes, scenes and cuts."""

from collections.abc import Iterator

import dagster as dg
from sqlalchemy import select

from anime_pipeline.database.models import Character, CharacterVariation, Project
from anime_pipeline.defs.metadata import rows_table
from anime_pipeline.defs.partition_events import ONLY_RECORDED, Record, output_with_records
from anime_pipeline.defs.partitions import CUT_BATCHES, CUTS, EPISODES, PROJECTS, SCENES
from anime_pipeline.defs.studio import Studio
from anime_pipeline.rendering.canonical import sha256_of
from anime_pipeline.rendering.staleness import TO_RENDER, CutState, states_of
from anime_pipeline.review.forecast import CutForecast, forecast
from anime_pipeline.story.context import CutContext
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline.story.loader import load_cut_contexts

OWNERS = ["team:story"]


@dg.asset(group_name="story", owners=OWNERS, kinds={"postgres"}, code_version="1")
def characters(studio: dg.ResourceParam[Studio]) -> dg.MaterializeResult[None]:
    """Everyone who can appear on screen, with their outfits, expressions and poses."""
    with studio.session() as session:
        rows = session.execute(
            select(Project.name, Character.name, Character.status, CharacterVariation.variation_name)
            .join(Project, Project.id == Character.project_id)
            .outerjoin(CharacterVariation, CharacterVariation.character_id == Character.id)
            .order_by(Project.name, Character.name, CharacterVariation.variation_name)
        ).all()
    cast: dict[tuple[str, str, str], list[str]] = {}
    for project, name, status, variation in rows:
        cast.setdefault((project, name, status or ""), []).extend([variation] if variation else [])
    table = [
        {"project": project, "character": name, "status": status, "variations": ", ".join(variations)}
        for (project, name, status), variations in cast.items()
    ]
    return dg.MaterializeResult(
        metadata={"characters": len(table), "cast": rows_table(table)},
        data_version=dg.DataVersion(sha256_of(table)),
    )


@dg.asset(
    group_name="story",
    owners=OWNERS,
    kinds={"postgres"},
    code_version="1",
    partitions_def=PROJECTS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    dagster_type=ONLY_RECORDED,
)
def projects(
    context: dg.AssetExecutionContext, studio: dg.ResourceParam[Studio]
) -> Iterator[dg.Output[None]]:
    """One show: its episodes in order, how many scenes and cuts each has and how long it runs.

    Its checks are the phase gates of the whole show.
    """
    records = {}
    with studio.session() as session:
        below = {key: active_cut_keys(session, key) for key in context.partition_keys}
        contexts = load_cut_contexts(session, [cut for cut_keys in below.values() for cut in cut_keys])
    for key, cut_keys in below.items():
        by_episode: dict[str, list[CutContext]] = {}
        for cut_key in cut_keys:
            by_episode.setdefault(".".join(cut_key.split(".")[:2]), []).append(contexts[cut_key])
        rows: list[dict[str, str | int]] = [
            {
                "episode": episode,
                "scenes": len({cut.scene_key for cut in shown}),
                "cuts": len(shown),
                "frames": sum(cut.duration_frames for cut in shown),
            }
            for episode, shown in by_episode.items()
        ]
        metadata = {
            "episodes": dg.MetadataValue.int(len(rows)),
            "cuts": dg.MetadataValue.int(len(cut_keys)),
            "order": rows_table(rows),
        }
        records[key] = Record(sha256_of(rows), metadata)
    yield from output_with_records(context, records)


@dg.asset(
    group_name="story",
    owners=OWNERS,
    kinds={"postgres"},
    code_version="1",
    partitions_def=EPISODES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    dagster_type=ONLY_RECORDED,
    deps=[dg.AssetDep(characters, partition_mapping=dg.AllPartitionMapping())],
)
def episodes(
    context: dg.AssetExecutionContext, studio: dg.ResourceParam[Studio]
) -> Iterator[dg.Output[None]]:
    """One episode of the show: its scenes in order, how many cuts they have and how long they run."""
    yield from output_with_records(context, _scope_records(context, studio))


@dg.asset(
    group_name="story",
    owners=OWNERS,
    kinds={"postgres"},
    code_version="1",
    partitions_def=SCENES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    dagster_type=ONLY_RECORDED,
    deps=[dg.AssetDep(episodes, partition_mapping=dg.AllPartitionMapping())],
)
def scenes(context: dg.AssetExecutionContext, studio: dg.ResourceParam[Studio]) -> Iterator[dg.Output[None]]:
    """One scene: a place at a time of day in a mood, with its cast and its cuts."""
    yield from output_with_records(context, _scope_records(context, studio))


@dg.asset(
    group_name="story",
    owners=OWNERS,
    kinds={"postgres"},
    code_version="1",
    partitions_def=CUTS,
    backfill_policy=CUT_BATCHES,
    dagster_type=ONLY_RECORDED,
    deps=[dg.AssetDep(scenes, partition_mapping=dg.AllPartitionMapping())],
)
def cuts(context: dg.AssetExecutionContext, studio: dg.ResourceParam[Studio]) -> Iterator[dg.Output[None]]:
    """One cut as written: what is seen, from where, by whom, for how long.

    Its data version is the hash of everything that decides its pixels; a changed line of dialogue that moves
    no lips leaves it as it is.
    """
    keys = list(context.partition_keys)
    with studio.session() as session:
        contexts = load_cut_contexts(session, keys)
        states = states_of(session, studio.settings, list(contexts), check_files=False)
        lacking = [state.cut_key for state in states if state.state in TO_RENDER]
        expected = forecast(session, studio.settings, lacking)
    costs = {cut.cut_key: cut for cut in expected.cuts}
    context.log.info(f"{len(lacking)} of {len(states)} cuts lack a take: {expected.said}")
    yield from output_with_records(
        context,
        {
            state.cut_key: Record(
                state.recipe_hash or "not renderable",
                _cut_metadata(contexts[state.cut_key]) | _standing(state, costs.get(state.cut_key)),
            )
            for state in states
        },
    )


def _standing(state: CutState, cost: CutForecast | None) -> dict[str, dg.MetadataValue]:
    """How a cut stood when it was recorded, why, and what rendering it was going to cost."""
    shown: dict[str, dg.MetadataValue] = {"state": dg.MetadataValue.text(state.state)}
    if state.reason:
        shown["why"] = dg.MetadataValue.text(state.reason)
    if state.changes:
        shown["changes"] = rows_table(
            [{"field": one.field, "old": str(one.old), "new": str(one.new)} for one in state.changes]
        )
    if cost is not None and cost.takes and cost.gpu_seconds is None:
        shown["forecast"] = dg.MetadataValue.text(f"unknown: nothing was rendered with {cost.workflow} yet")
    elif cost is not None and cost.takes and cost.gpu_seconds is not None:
        shown["forecast_gpu_seconds"] = dg.MetadataValue.float(cost.gpu_seconds)
        shown["forecast_history_takes"] = dg.MetadataValue.int(cost.history)
    return shown


def _cut_metadata(cut: CutContext) -> dict[str, dg.MetadataValue]:
    return {
        "description": dg.MetadataValue.text(cut.description),
        "kind": dg.MetadataValue.text(cut.kind),
        "camera": dg.MetadataValue.text(cut.camera_angle),
        "place": dg.MetadataValue.text(f"{cut.location}, {cut.time_of_day}"),
        "cast": dg.MetadataValue.text(", ".join(figure.name for figure in cut.figures)),
        "duration_frames": dg.MetadataValue.int(cut.duration_frames),
    }


def _scope_records(context: dg.AssetExecutionContext, studio: Studio) -> dict[str, Record]:
    """The record of each scene or episode of the run, from the cuts below it."""
    records: dict[str, Record] = {}
    with studio.session() as session:
        below = {key: active_cut_keys(session, key) for key in context.partition_keys}
        contexts = load_cut_contexts(session, [cut for cut_keys in below.values() for cut in cut_keys])
    for key, cut_keys in below.items():
        shown = [contexts[cut_key] for cut_key in cut_keys]
        rows: list[dict[str, str | int]] = [
            {
                "cut": cut.cut_key,
                "kind": cut.kind,
                "frames": cut.duration_frames,
                "place": cut.location,
                "description": cut.description,
            }
            for cut in shown
        ]
        metadata = {
            "cuts": dg.MetadataValue.int(len(rows)),
            "frames": dg.MetadataValue.int(sum(cut.duration_frames for cut in shown)),
            "order": rows_table(rows),
        }
        records[key] = Record(sha256_of(rows), metadata)
    return records
