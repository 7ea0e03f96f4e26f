"""The three steps of measuring a run's cuts: find their takes, measure them, judge and select."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from anime_pipeline.defs.metadata import per_frame_plot, per_frame_table
from anime_pipeline.defs.mistakes import in_words
from anime_pipeline.defs.partition_events import Batch
from anime_pipeline.defs.studio import Studio
from anime_pipeline.quality.measuring import measure_takes
from anime_pipeline.quality.scores import TakeScores, finished_takes, judge_takes, standing_takes, take_scores
from anime_pipeline.review.answering import answer_failures
from anime_pipeline.review.listing import reasons_of_selection
from anime_pipeline.review.selection import select_best


def takes_of(studio: Studio, cut_keys: Sequence[str]) -> list[int]:
    """The finished takes (job ids) of the cuts."""
    with studio.session() as session:
        takes = finished_takes(session, cut_keys)
    return [job_id for job_ids in takes.values() for job_id in job_ids]


@in_words()
def measure(context: dg.OpExecutionContext, studio: Studio, takes: Sequence[int]) -> list[int]:
    """Measure each take by one decoding; the takes whose scores are stored."""
    with studio.session() as session:
        report = measure_takes(session, studio.settings, takes)
    for take in report.with_outcome("failed"):
        context.log.error(f"{take.cut_key}: {take.reason}")
    measured = {take.job_id for take in report.takes if take.outcome != "failed"}
    return [job_id for job_id in takes if job_id in measured]


@in_words()
def judge(studio: Studio, cut_keys: Sequence[str], takes: Sequence[int]) -> Batch:
    """Judge the takes, select those that pass, answer failures with retakes, say what became of each cut."""
    with studio.session() as session:
        judge_takes(session, takes)
        select_best(session, studio.settings, cut_keys)
        standing = standing_takes(session, cut_keys)
        scores = take_scores(session, [job_id for job_id in standing.values() if job_id in set(takes)])
        reasons = reasons_of_selection(session, studio.settings, cut_keys)
    with studio.session() as session:  # by itself, so that the verdicts stand whatever comes of it
        answers = answer_failures(session, studio.settings, cut_keys)
    answered: dict[str, dict[str, dg.MetadataValue]] = {}
    for answer in answers:
        said = answer.reason if answer.job_id is None else f"take {answer.job_id}: {answer.reason}"
        answered.setdefault(answer.cut_key, {})[answer.outcome] = dg.MetadataValue.text(said)
    finished = {
        take.cut_key: {
            **_decided(take, reasons[take.cut_key]),
            **answered.get(take.cut_key, {}),
            **_scores_metadata(take),
        }
        for take in scores.values()
    }
    failed = {
        key: "could not be measured"
        if key in standing
        else "no finished take to measure: render the cut first"
        for key in cut_keys
        if key not in finished
    }
    return Batch(finished, failed)


def _decided(take: TakeScores, selection: str) -> dict[str, dg.MetadataValue]:
    return {
        "verdict": dg.MetadataValue.text(f"{take.phase} {take.verdict.verdict}: {take.verdict.reason}"),
        "selection": dg.MetadataValue.text(selection),
    }


def _scores_metadata(take: TakeScores) -> dict[str, dg.MetadataValue]:
    """The numbers; what is as long as the film comes last, or a director would scroll past it."""
    metadata: dict[str, dg.MetadataValue] = {
        score.metric: dg.MetadataValue.float(score.value) for score in take.scores if score.value is not None
    }
    unmeasured = [score for score in take.scores if score.value is None]
    if unmeasured:
        metadata["not_measured"] = dg.MetadataValue.md(
            "\n".join(f"- **{score.metric}** {score.said}" for score in unmeasured)
        )
    columns = {score.metric: score.per_frame for score in take.scores if len(score.per_frame) > 1}
    worst = {score.metric: score.worst_frame for score in take.scores if score.metric in columns}
    if lines := [f"- **{metric}** frame {at[0]}: {at[1]:.4f}" for metric, at in worst.items() if at]:
        metadata["worst_frames"] = dg.MetadataValue.md("\n".join(lines))
    if columns:
        metadata["per_frame_plot"] = per_frame_plot(columns)
        metadata["per_frame"] = per_frame_table(columns)
    return metadata
