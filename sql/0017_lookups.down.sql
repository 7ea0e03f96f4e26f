-- Loses nothing.
DROP INDEX public.idx_render_queue_job_id;
DROP INDEX studio.measurements_quality_score;
