"""Defends the nightly tidying: what is over goes, what is waited for stays, and the run says how much."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

import dagster as dg
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.defs.maintenance.backups import back_up_database
from anime_pipeline.defs.maintenance.tidying import tidy_up
from anime_pipeline.defs.studio import Studio
from anime_pipeline.settings import Settings

_ROWS = """
    INSERT INTO jobs (id, job_type, status) VALUES (1, 'still_image', 'queued');
    INSERT INTO studio.outbox (event_type, job_id, state, delivered_at, occurred_at)
    SELECT 'job.completed', 1, state, CASE state WHEN 'delivered' THEN at END, at
    FROM unnest(ARRAY['delivered', 'waiting', 'dead']) AS state,
         unnest(ARRAY[now(), now() - interval '31 days']) AS at;
    INSERT INTO studio.inbox
        (event_id, source, body_sha256, signatures, state, reason, received_at, applied_at)
    SELECT state || days, 'task', repeat('0', 64), '{}', state, 'so', now() - make_interval(days => days),
           CASE state WHEN 'applied' THEN now() END
    FROM unnest(ARRAY['applied', 'refused']) AS state, unnest(ARRAY[1, 91]) AS days;
    UPDATE studio.job_events SET created_at = now() - interval '8 days'
"""


def test_what_is_over_goes(settings: Settings) -> None:
    with session_scope(settings) as session:
        session.execute(text(_ROWS))
    then = (datetime.now(timezone.utc) - timedelta(days=31)).timestamp()
    film = settings.home / "tmp" / "film-killed"
    film.mkdir(parents=True)
    log = settings.home / "logs" / "dagster-1.log"
    log.parent.mkdir()
    log.touch()
    for path in (film, log):
        os.utime(path, (then, then))
    context = dg.build_op_context()
    tidy_up(context, Studio(settings))
    assert context.get_output_metadata("result") == {
        "messages of the supervisor": 1, "delivered events": 1, "events of jobs": 1,
        "leftovers of killed processes": 1, "unused copies of media": 0, "logs": 1,
    }  # fmt: skip
    with session_scope(settings) as session:
        left = session.execute(text("SELECT state, count(*) FROM studio.outbox GROUP BY 1 ORDER BY 1")).all()
        kept = session.scalars(text("SELECT event_id FROM studio.inbox ORDER BY 1")).all()
    assert [tuple(row) for row in left] == [("dead", 2), ("delivered", 1), ("waiting", 2)]
    assert list(kept) == ["applied1", "refused1", "refused91"]


def test_the_nightly_job_tidies_whatever_becomes_of_the_backups() -> None:
    graph = back_up_database.graph
    assert "tidy_up" in [node.name for node in graph.nodes]
    assert graph.dependency_structure.input_to_upstream_outputs_for_node("tidy_up") == {}
