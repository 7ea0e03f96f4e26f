-- A take that is measured again replaces its rows of public.quality_scores: PostgreSQL then looks for the
-- measurements that name each of them, through a million rows without this.
CREATE INDEX IF NOT EXISTS measurements_quality_score ON studio.measurements (quality_score_id);
-- The queue's row of a take is asked for by its job: to raise its priority, to cancel it, to take it again.
CREATE INDEX IF NOT EXISTS idx_render_queue_job_id ON public.render_queue (job_id);
