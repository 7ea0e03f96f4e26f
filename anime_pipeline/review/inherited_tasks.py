"""A supervisor's task that asked for a take hears of the retakes that answer its failure, too."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Retake

# Of all takes of the story and not only of the one that failed last: a task that asked for one of several
# waits for the cut, not for that take.
_INHERIT = text("""
    INSERT INTO studio.echo_task_jobs (task_id, job_id)
    SELECT DISTINCT asked.task_id, answer.job_id
    FROM studio.takes t
    JOIN studio.echo_task_jobs asked USING (job_id)
    CROSS JOIN unnest(CAST(:job_ids AS int[])) AS answer (job_id)
    WHERE t.cut_id = :cut_id AND t.story_hash = :story_hash AND t.reproduces_job_id IS NULL
      AND (:automatic OR EXISTS (SELECT FROM studio.cut_reviews r
                                 WHERE r.cut_id = t.cut_id AND r.story_hash = t.story_hash))
    ON CONFLICT DO NOTHING
""")


def inherit_tasks(session: Session, retake: Retake, job_ids: Sequence[int]) -> None:
    """Tell the tasks that asked for takes of the retake's cut and story of these takes as well.

    Only where the cut had failed: for an automatic retake always, for one that is asked for where the cut
    waited for a person. A further take of a cut that has passed answers nobody but who asked for it. Call it
    in the transaction that queues the takes, so that no end of theirs comes before.
    """
    session.execute(
        _INHERIT,
        {
            "cut_id": retake.cut_id,
            "story_hash": retake.story_hash,
            "automatic": retake.automatic,
            "job_ids": list(job_ids),
        },
    )
