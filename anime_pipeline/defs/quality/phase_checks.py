"""Phase gates of projects, episodes and scenes as asset checks: they show the verdicts that PostgreSQL holds.

Only an episode's checks block, and only those of the phases that its takes were made for: they stand in front
of its master. A scene's reel is for looking at, and a project is built of nothing. An overridden gate blocks
nothing, and its check is still not passed.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from sqlalchemy.orm import Session

from anime_pipeline.defs.metadata import rows_table
from anime_pipeline.defs.partition_events import Outcome, check_evaluations, looked_at
from anime_pipeline.defs.partitions import EPISODES, PROJECTS, SCENES
from anime_pipeline.defs.story.assets import episodes, projects, scenes
from anime_pipeline.defs.studio import Studio
from anime_pipeline.media.errors import MediaError
from anime_pipeline.media.thumbnail import webp_thumbnail
from anime_pipeline.quality.gates import Verdict, judge_scope
from anime_pipeline.quality.phases import PHASES
from anime_pipeline.quality.scores import binding_phases
from anime_pipeline.quality.worst_frames import worst_frames

SHOWN_ROWS = 100
SHOWN_PICTURES = 6
PICTURE_WIDTH, PICTURE_BYTES = 200, 8_000
"""A picture sits in the event log, with every evaluation of the check."""

Evaluations = Iterator[dg.AssetCheckEvaluation | dg.Output[None]]


def _specs(
    asset: dg.AssetsDefinition, partitions: dg.PartitionsDefinition, scope: str, blocking: bool = False
) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name=phase,
            asset=asset.key,
            partitions_def=partitions,
            blocking=blocking,
            description=f"Enough of the {scope}'s cuts pass {phase.replace('_', ' ')}; none is unmeasured.",
        )
        for phase in PHASES
    ]


PROJECT_CHECKS = _specs(projects, PROJECTS, "project")
EPISODE_CHECKS = _specs(episodes, EPISODES, "episode", blocking=True)
SCENE_CHECKS = _specs(scenes, SCENES, "scene")


@dg.multi_asset_check(specs=PROJECT_CHECKS, name="project_phase_checks", can_subset=True)
def project_phase_checks(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[Studio]
) -> Evaluations:
    """Every phase of every project in the run."""
    yield from _evaluations(context, studio, PROJECT_CHECKS)


@dg.multi_asset_check(specs=EPISODE_CHECKS, name="episode_phase_checks", can_subset=True)
def episode_phase_checks(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[Studio]
) -> Evaluations:
    """Every phase of every episode in the run; only a phase that its takes were made for can block."""
    with studio.session() as session:
        binding = {key: binding_phases(session, key) for key in context.partition_keys}
    yield from _evaluations(context, studio, EPISODE_CHECKS, binding)


@dg.multi_asset_check(specs=SCENE_CHECKS, name="scene_phase_checks", can_subset=True)
def scene_phase_checks(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[Studio]
) -> Evaluations:
    """Every phase of every scene in the run."""
    yield from _evaluations(context, studio, SCENE_CHECKS)


def _evaluations(
    context: dg.AssetCheckExecutionContext,
    studio: Studio,
    specs: Sequence[dg.AssetCheckSpec],
    binding: Mapping[str, Sequence[str]] | None = None,
) -> Evaluations:
    """Judge each partition of the run in the selected phases; ``binding`` are those that may block it."""
    looked = looked_at(context.instance, specs[0].asset_key, context.partition_keys)
    for spec in specs:
        if spec.key not in context.selected_asset_check_keys:
            continue
        for key in context.partition_keys:
            with studio.session() as session:
                verdict = judge_scope(session, key, spec.name)
                metadata = _metadata(session, studio, verdict)
            outcome = Outcome(key, verdict.passed, verdict.said, metadata)
            blocks = spec.name in (binding or {}).get(key, ()) and not verdict.is_open
            yield from check_evaluations(spec, [outcome], looked, blocking=blocks)
        yield dg.Output(None, output_name=spec.get_python_identifier())


def _metadata(session: Session, studio: Studio, verdict: Verdict) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "verdict": dg.MetadataValue.text(verdict.state),
        "cuts_total": dg.MetadataValue.int(verdict.cuts_total),
        "cuts_passed": dg.MetadataValue.int(verdict.cuts_passed),
        "cuts_failed": dg.MetadataValue.int(verdict.cuts_failed),
        "cuts_unmeasured": dg.MetadataValue.int(verdict.cuts_unmeasured),
    }
    if verdict.failing:
        metadata["failing"] = rows_table([_failing_row(entry) for entry in verdict.failing[:SHOWN_ROWS]])
    if verdict.missing:
        metadata["missing"] = rows_table([_missing_row(entry) for entry in verdict.missing[:SHOWN_ROWS]])
    if verdict.pass_rate is not None:
        metadata["pass_rate"] = dg.MetadataValue.float(verdict.pass_rate)
    if verdict.failing:
        metadata["worst_frames"] = _worst_frames(session, studio, verdict.failing)
    return metadata


def _failing_row(entry: Mapping[str, Any]) -> dict[str, str]:
    return {
        "cut": entry["cut_key"],
        "take": str(entry["take_number"]),
        "metric": entry["metric"],
        "value": f"{entry['value']:.4f}",
        "threshold": f"{entry['comparison'].replace('_', ' ')} {entry['threshold']:g}",
        "worst frame": "" if entry["worst_frame"] is None else str(entry["worst_frame"]),
    }


def _missing_row(entry: Mapping[str, Any]) -> dict[str, str]:
    keys = entry["cut_keys"]
    named = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
    return {
        "metric": entry["metric"] or "take",
        "why": entry["reason"],
        "to mend it": entry["remedy"] or "",
        "cuts": named,
    }


def _worst_frames(session: Session, studio: Studio, failing: Sequence[Mapping[str, Any]]) -> dg.MetadataValue:
    """The first failing cuts with a small picture of each one's worst frame."""
    shown = {(entry["job_id"], entry["worst_frame"] or 0): entry for entry in reversed(failing)}
    first = list(reversed(shown.items()))[:SHOWN_PICTURES]
    wanted: dict[int, set[int]] = {}
    for (job_id, frame), _ in first:
        wanted.setdefault(job_id, set()).add(frame)
    frames = worst_frames(session, studio.store, wanted)
    lines = ["| cut | worst frame | |", "| --- | --- | --- |"]
    for at, entry in first:
        frame = frames[at]
        picture = str(frame) if isinstance(frame, MediaError) else _picture(frame)
        lines.append(
            f"| {entry['cut_key']} | {entry['metric']} {entry['value']:.4g}, frame {at[1]} | {picture} |"
        )
    return dg.MetadataValue.md("\n".join(lines))


def _picture(frame: Any) -> str:
    data = base64.b64encode(webp_thumbnail(frame, PICTURE_WIDTH, PICTURE_BYTES)).decode("ascii")
    return f"![worst frame](data:image/webp;base64,{data})"
