"""Cuts whose takes fail: rendered, judged as a test says, answered."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.staleness import CutState
from anime_pipeline.review.answering import RetakeDecision, answer_failures
from anime_pipeline_tests.rendering.studio import Studio, stills

KEY = "tiny.e01.s001.c0010"

_VERDICT = text("""
    INSERT INTO studio.gate_verdicts (project_id, scope, scope_key, job_id, phase, verdict, cuts_total,
        cuts_passed, cuts_failed, cuts_unmeasured, thresholds, failing, reason, judged_sha256)
    SELECT p.project_id, 'cut', p.cut_key, t.job_id, 'phase_0_animatic', :verdict, 1, 0, 0, 0, '{}',
        CAST(:failing AS jsonb), :reason, repeat('0', 64)
    FROM studio.takes t
    JOIN studio.cut_profiles p USING (cut_id)
    JOIN jobs j ON j.id = t.job_id
    WHERE j.status = 'completed' AND t.reproduces_job_id IS NULL
      AND p.cut_key LIKE :cuts AND (CAST(:take AS int) IS NULL OR t.take_number = :take)
      AND (:again OR NOT EXISTS (SELECT FROM studio.gate_verdicts g WHERE g.job_id = t.job_id))
""")


def rendered(studio: Studio, count: int = 1, **fields: Any) -> None:
    """Stills, rendered and not judged."""
    studio.import_(stills(count, **fields))
    studio.render()


def judge(
    studio: Studio,
    *metrics: str,
    verdict: str | None = None,
    cuts: str = "%",
    take: int | None = None,
    again: bool = False,
) -> None:
    """Judge every take (of the ``cuts`` like this, of this number) that is not judged, or all ``again``.

    They fail by these metrics; without any they pass.
    """
    failing = [{"metric": metric, "value": 0.0, "threshold": 1.0} for metric in metrics]
    said = verdict or ("failed" if metrics else "passed")
    with session_scope(studio.settings) as session:
        values = {"verdict": said, "failing": json.dumps(failing), "reason": f"the take {said}"}
        session.execute(_VERDICT, {**values, "cuts": cuts, "take": take, "again": again})


def answer(studio: Studio, **changed: Any) -> list[RetakeDecision]:
    """What is decided about all cuts, committed."""
    settings = studio.settings.model_copy(update=changed)
    with session_scope(settings) as session:
        return answer_failures(session, settings, studio.keys())


def state(studio: Studio, cut: str = "c0010") -> CutState:
    """The state of a cut."""
    return studio.states()[cut]


def retakes(studio: Studio) -> list[Any]:
    """The stored retakes with their takes, oldest first."""
    return studio.query("""
        SELECT r.*, t.take_number, t.variant, t.recipe_hash
        FROM studio.retakes r LEFT JOIN studio.takes t ON t.job_id = r.answered_by_job_id ORDER BY r.id
    """)
