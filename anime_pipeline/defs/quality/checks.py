"""Phase gates as asset checks. PostgreSQL holds the verdicts and enforces them; the checks show them.

Checks of single cuts don't block: one bad cut would turn a whole batch's run red. The phase checks of an
episode block the master in front of which they stand.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from anime_pipeline.defs.metadata import rows_table
from anime_pipeline.defs.partition_events import Outcome, check_evaluations
from anime_pipeline.defs.partitions import CUTS, EPISODES
from anime_pipeline.defs.quality.assets import quality_metrics
from anime_pipeline.defs.story.assets import episodes
from anime_pipeline.defs.studio import Studio
from anime_pipeline.quality.engines.registry import REPRODUCIBLE, metrics
from anime_pipeline.quality.gates import Verdict, judge_scope
from anime_pipeline.quality.phases import PHASES
from anime_pipeline.quality.scores import TakeScores, binding_phases, standing_takes, take_scores

CUT_CHECKS = [
    dg.AssetCheckSpec(
        name=metric,
        asset=quality_metrics.key,
        partitions_def=CUTS,
        description=f"The take's {metric.replace('_', ' ')} meets the threshold of its phase.",
    )
    for metric in [*(known.name for known in metrics()), REPRODUCIBLE]
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
        description=f"Enough of the episode's cuts pass {phase.replace('_', ' ')}, and none is unmeasured.",
    )
    for phase in PHASES
]


@dg.multi_asset_check(specs=[*CUT_CHECKS, TAKE_GATE], name="cut_checks", can_subset=True)
def cut_checks(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[Studio]
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Every metric of every cut in the run, from the database."""
    selected = [spec for spec in (*CUT_CHECKS, TAKE_GATE) if spec.key in context.selected_asset_check_keys]
    yield from cut_evaluations(studio, context.partition_keys, selected)
    for spec in selected:
        yield dg.Output(None, output_name=spec.get_python_identifier())


def cut_evaluations(
    studio: Studio, cut_keys: Sequence[str], specs: Sequence[dg.AssetCheckSpec] = (*CUT_CHECKS, TAKE_GATE)
) -> list[dg.AssetCheckEvaluation]:
    """What the checks of cuts say, from the database; nothing of a metric that a take's phase leaves open."""
    with studio.session() as session:
        scores = take_scores(session, list(standing_takes(session, cut_keys).values()))
    by_cut = {take.cut_key: take for take in scores.values()}
    found: list[dg.AssetCheckEvaluation] = []
    for spec in specs:
        outcomes = (_cut_outcome(spec.name, key, by_cut.get(key)) for key in cut_keys)
        found += check_evaluations(spec, [outcome for outcome in outcomes if outcome is not None])
    return found


def _cut_outcome(name: str, key: str, take: TakeScores | None) -> Outcome | None:
    """What a check says of a cut; None where the take's phase leaves the metric undecided."""
    if name == TAKE_GATE.name:
        if take is None:
            return Outcome(key, False, "No finished take: render the cut first.")
        return Outcome(key, take.verdict.passed, f"{take.phase}: {take.verdict.reason}")
    score = take.score(name) if take is not None else None
    if score is None or score.rule is None or not score.rule.decides:
        return None
    if score.rule.sampled and score.value is None:
        return None
    metadata = {} if score.value is None else {name: dg.MetadataValue.float(score.value)}
    return Outcome(key, score.passed is True, score.said, metadata)


@dg.multi_asset_check(specs=PHASE_CHECKS, name="episode_phase_checks", can_subset=True)
def episode_phase_checks(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[Studio]
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Every phase of every episode in the run; only a phase that its takes were made for can block."""
    keys = list(context.partition_keys)
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
            outcome = Outcome(key, verdict.passed, verdict.reason, _verdict_metadata(verdict))
            yield from check_evaluations(spec, [outcome], blocking=spec.name in binding[key])
        yield dg.Output(None, output_name=spec.get_python_identifier())


def _verdict_metadata(verdict: Verdict) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "verdict": dg.MetadataValue.text(verdict.verdict),
        "cuts_total": dg.MetadataValue.int(verdict.cuts_total),
        "cuts_passed": dg.MetadataValue.int(verdict.cuts_passed),
        "failing": rows_table(_rows(verdict.failing)),
        "missing": rows_table(_rows(verdict.missing)),
    }
    if verdict.pass_rate is not None:
        metadata["pass_rate"] = dg.MetadataValue.float(verdict.pass_rate)
    return metadata


def _rows(entries: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{name: str(value) for name, value in entry.items()} for entry in entries]
