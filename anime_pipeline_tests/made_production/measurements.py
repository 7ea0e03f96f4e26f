"""Measurements of every take, with the scores that earlier clients read, and scores that only those wrote."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

# The threshold that decides is the phase's own; one take in 25 fails one metric.
_MEASURED = """
    CREATE TEMPORARY TABLE made_values AS
    WITH asked AS (
        SELECT DISTINCT ON (kind, m.metric_name) kind, m.metric_name, m.comparison,
               g.threshold_value AS threshold
        FROM studio.phase_metrics m
        CROSS JOIN LATERAL unnest(m.cut_kinds) AS kind
        LEFT JOIN public.quality_gates g USING (gate_name)
        ORDER BY kind, m.metric_name, m.comparison = 'reported', m.phase DESC
    )
    SELECT nextval(pg_get_serial_sequence('public.quality_scores', 'id')) AS score_id, t.job_id,
           a.metric_name, a.comparison, a.threshold,
           CASE WHEN a.threshold IS NULL THEN 0.5
                WHEN a.metric_name IN ('media_contract', 'reproducible') THEN 1
                WHEN a.metric_name = 'motion_smoothness' AND t.cut_id % 25 = 0 THEN 0.9
                WHEN a.metric_name = 'aesthetic' AND t.cut_id % 25 = 0 THEN 4.2
                WHEN a.comparison = 'at_least' THEN a.threshold * 1.02
                ELSE a.threshold * 0.5 END AS value
    FROM studio.takes t
    JOIN studio.cut_profiles p USING (cut_id)
    JOIN asked a ON a.kind = p.kind
    WHERE p.cut_key LIKE :mine
"""
_SCORES = """
    INSERT INTO public.quality_scores (id, job_id, metric_name, score_value, threshold_min, threshold_max,
                                       passed, details)
    SELECT score_id, job_id, metric_name, value, CASE comparison WHEN 'at_least' THEN threshold END,
           CASE comparison WHEN 'at_most' THEN threshold END,
           CASE comparison WHEN 'at_least' THEN value >= threshold WHEN 'at_most' THEN value <= threshold END,
           '{}'
    FROM made_values
"""
_MEASUREMENTS = """
    INSERT INTO studio.measurements (job_id, metric_name, state, value, per_frame, details, backend,
                                     backend_version, weights_sha256, settings, quality_score_id)
    SELECT job_id, metric_name, 'measured', value, NULL,
           jsonb_build_object('lowest', jsonb_build_object('frame', 3, 'value', value),
                              'highest', jsonb_build_object('frame', 9, 'value', value)),
           'numpy', '1', NULL, '{}', score_id
    FROM made_values
"""
_EARLIER = """
    INSERT INTO public.quality_scores (job_id, metric_name, score_value, passed, details)
    SELECT j.job_id, 'frame_sharpness', 0.5 + (n % 50) / 100.0, TRUE, jsonb_build_object('frame', n)
    FROM (SELECT t.job_id, row_number() OVER (ORDER BY t.job_id) - 1 AS place, count(*) OVER () AS takes
          FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id) WHERE p.cut_key LIKE :mine) j
    CROSS JOIN LATERAL generate_series(
        0, :rest / j.takes + CASE WHEN j.place < :rest % j.takes THEN 0 ELSE -1 END) AS n
"""


def write_measurements(session: Session, slug: str, scores: int) -> None:
    """Measure every take of a project in all metrics of its kind; fill up to ``scores`` rows in all."""
    mine = {"mine": f"{slug}.%"}
    session.execute(text(_MEASURED), mine)
    measured = session.scalar(text("SELECT count(*) FROM made_values")) or 0
    for statement in (_SCORES, _MEASUREMENTS):
        session.execute(text(statement))
    session.execute(text("DROP TABLE made_values"))
    if scores > measured:
        session.execute(text(_EARLIER), {**mine, "rest": scores - measured})
