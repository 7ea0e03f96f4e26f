"""Phase gates as asset checks. PostgreSQL holds the verdicts and enforces them; the checks show them.

Checks of single cuts don't block: one bad cut would turn a whole batch's run red. The phase checks of an episode
block the master in front of which they stand.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from anime_pipeline.defs.metadata import rows_table
from anime_pipeline.defs.partition_events import check_evaluations
from anime_pipeline.defs.partitions import CUTS, EPISODES
from anime_pipeline.defs.quality.assets import quality_metrics
from anime_pipeline.defs.story.assets import episodes
from anime_pipeline.defs.studio import Studio
from anime_pipeline.quality.gates import Verdict, binding_phases, judge_scope
from anime_pipeline.quality.phases import ALL_METRICS, ALL_PHASES
from anime_pipeline.quality.scores import CutScores, cut_scores, judged_takes

CUT_CHECKS = [
    dg.AssetCheckSpec(
        name=metric,
        asset=quality_metrics.key,
        partitions_def=CUTS,
        description=f"The take's {metric.replace('_', ' ')} meets the threshold of its phase.",
    )
    for metric in ALL_METRICS
]
TAKE_GATE = dg.AssetCheckSpec(
    name="take_gate",
    asset=quality_metrics.key,
    partitions_def=CUTS,
    description="The take passes every metric of the phase it was made for.",
)
PHASE_CHECKS = [
    dg.AssetCheckSpec(
        name=phase,
        asset=episodes.key,
        partitions_def=EPISODES,
        blocking=True,
        description=f"At least 80 % of the episode's cuts pass {phase.replace('_', ' ')}, and none is unmeasured.",
    )
    for phase in ALL_PHASES
]


@dg.multi_asset_check(specs=[*CUT_CHECKS, TAKE_GATE], name="cut_checks", can_subset=True)
def cut_checks(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[Studio]
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Every metric of every cut in the run, from the database."""
    keys = list(context.op_execution_context.partition_keys)
    with studio.session() as session:
        scores = cut_scores(session, judged_takes(session, keys))
    for spec in [*CUT_CHECKS, TAKE_GATE]:
        if spec.key in context.selected_asset_check_keys:
            yield from check_evaluations(spec, [_cut_outcome(spec.name, key, scores.get(key)) for key in keys])
            yield dg.Output(None, output_name=spec.get_python_identifier())


def _cut_outcome(
    name: str, key: str, scores: CutScores | None
) -> tuple[str, bool, str, dict[str, dg.MetadataValue]]:
    if scores is None:
        return key, False, "No finished take: render the cut first.", {}
    if name == TAKE_GATE.name:
        return key, scores.passed, scores.verdict, {}
    measurement = scores.measurement(name)
    if measurement is None:
        return key, True, "Not asked of this kind of cut.", {}
    metadata = {} if measurement.value is None else {name: dg.MetadataValue.float(measurement.value)}
    return key, measurement.passed, measurement.verdict, metadata


@dg.multi_asset_check(specs=PHASE_CHECKS, name="episode_phase_checks", can_subset=True)
def episode_phase_checks(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[Studio]
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Every phase of every episode in the run; only a phase that the episode's takes were made for can block."""
    keys = list(context.op_execution_context.partition_keys)
    with studio.session() as session:
        binding = {key: binding_phases(session, key) for key in keys}
        verdicts = {
            (key, spec.name): judge_scope(session, key, spec.name)
            for spec in PHASE_CHECKS
            if spec.key in context.selected_asset_check_keys
            for key in keys
        }
    for spec in PHASE_CHECKS:
        if spec.key not in context.selected_asset_check_keys:
            continue
        for key in keys:
            verdict = verdicts[key, spec.name]
            outcome = (key, verdict.passed, verdict.reason, _verdict_metadata(verdict))
            yield from check_evaluations(spec, [outcome], blocking=spec.name in binding[key])
        yield dg.Output(None, output_name=spec.get_python_identifier())


def _verdict_metadata(verdict: Verdict) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "verdict": dg.MetadataValue.text(verdict.verdict),
        "cuts_total": dg.MetadataValue.int(verdict.cuts_total),
        "cuts_passed": dg.MetadataValue.int(verdict.cuts_passed),
        "failing": rows_table(verdict.failing_rows),
        "missing": rows_table(verdict.missing_rows),
    }
    if verdict.pass_rate is not None:
        metadata["pass_rate"] = dg.MetadataValue.float(verdict.pass_rate)
    return metadata
