"""The metric ``reproducible``: what a second rendering found, as a score of the first one."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from anime_pipeline.database.models import CutProfile, Reproduction, Take
from anime_pipeline.quality.engines.protocol import Provenance, Score
from anime_pipeline.quality.engines.registry import REPRODUCIBLE
from anime_pipeline.quality.phases import load_phases, phase_of_take
from anime_pipeline.quality.recording import record_scores
from anime_pipeline.quality.scores import judge_takes

BACKEND, VERSION = "second rendering", "1"


def record_reproductions(session: Session, job_ids: Collection[int]) -> list[int]:
    """Record the newest verdict on each of these takes, 1 where all pixels were the same, else 0; judge them.

    A second rendering that did not come about says nothing, nor does one of a modified recipe. The job ids
    that got a score.
    """
    first = aliased(Take)
    rows = session.execute(
        select(Reproduction, Take.reproduces_job_id)
        .join(Take, Take.job_id == Reproduction.job_id)
        .join(first, first.job_id == Take.reproduces_job_id)
        .where(Take.recipe_hash == first.recipe_hash)
        .where(Take.reproduces_job_id.in_(list(job_ids)), Reproduction.verdict != "not_rendered")
        .order_by(Reproduction.job_id),
        execution_options={"populate_existing": True},
    ).all()
    newest = {original: reproduction for reproduction, original in rows}
    takes = session.execute(
        select(Take.job_id, Take.server_kind, CutProfile.kind, CutProfile.project_id)
        .join(CutProfile, CutProfile.cut_id == Take.cut_id)
        .where(Take.job_id.in_(newest))
    ).all()
    phases = load_phases(session, {take.project_id for take in takes})
    for take in takes:
        phase = phase_of_take(phases[take.project_id], take.kind, take.server_kind)
        record_scores(session, take.job_id, {REPRODUCIBLE: _score(newest[take.job_id])}, phase)
    recorded = sorted(take.job_id for take in takes)
    judge_takes(session, recorded)
    return recorded


def _score(found: Reproduction) -> Score:
    details = {
        "verdict": found.verdict,
        "reason": found.reason,
        "second_job_id": found.job_id,
        "max_difference": found.max_difference,
        "changed_share": found.changed_share,
        "psnr": found.psnr,
        "ssim": found.ssim,
        "environment": found.environment,
    }
    value = 1.0 if found.verdict == "identical" else 0.0
    return Score(REPRODUCIBLE, "measured", Provenance(BACKEND, VERSION), value, details=details)
