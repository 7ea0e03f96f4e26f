"""The gates of single cuts as asset checks. PostgreSQL holds the verdicts; the checks show them.

They don't block: one bad cut would turn a whole batch's run red.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from anime_pipeline.defs.partition_events import Outcome, check_evaluations, looked_at
from anime_pipeline.defs.partitions import CUTS
from anime_pipeline.defs.quality.assets import quality_metrics
from anime_pipeline.defs.studio import Studio
from anime_pipeline.quality.engines.registry import REPRODUCIBLE, metrics
from anime_pipeline.quality.scores import TakeScores, standing_takes, take_scores

CUT_CHECKS = [
    dg.AssetCheckSpec(
        name=metric,
        asset=quality_metrics.key,
        partitions_def=CUTS,
        description=f"The take's {metric.replace('_', ' ')} meets the threshold of its phase. "
        "Skipped for a cut of which its phase doesn't ask this: nothing was decided.",
    )
    for metric in [*(known.name for known in metrics()), REPRODUCIBLE]
]
TAKE_GATE = dg.AssetCheckSpec(
    name="take_gate",
    asset=quality_metrics.key,
    partitions_def=CUTS,
    description="The take passes every metric of the phase it was made for.",
)


@dg.multi_asset_check(specs=[*CUT_CHECKS, TAKE_GATE], name="cut_checks", can_subset=True)
def cut_checks(
    context: dg.AssetCheckExecutionContext, studio: dg.ResourceParam[Studio]
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Every metric of every cut in the run, from the database."""
    selected = [spec for spec in (*CUT_CHECKS, TAKE_GATE) if spec.key in context.selected_asset_check_keys]
    yield from cut_evaluations(context.instance, studio, context.partition_keys, selected)
    for spec in selected:
        yield dg.Output(None, output_name=spec.get_python_identifier())


def cut_evaluations(
    instance: dg.DagsterInstance,
    studio: Studio,
    cut_keys: Sequence[str],
    specs: Sequence[dg.AssetCheckSpec] = (*CUT_CHECKS, TAKE_GATE),
) -> list[dg.AssetCheckEvaluation]:
    """What the checks of cuts say, from the database; nothing of a metric that a take's phase leaves open."""
    with studio.session() as session:
        scores = take_scores(session, list(standing_takes(session, cut_keys).values()))
    looked = looked_at(instance, quality_metrics.key, cut_keys)
    by_cut = {take.cut_key: take for take in scores.values()}
    found: list[dg.AssetCheckEvaluation] = []
    for spec in specs:
        outcomes = (_cut_outcome(spec.name, key, by_cut.get(key)) for key in cut_keys)
        found += check_evaluations(spec, [outcome for outcome in outcomes if outcome is not None], looked)
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
