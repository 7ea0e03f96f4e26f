-- Loses what was told of jobs to those who follow them, callbacks, and requests to measure not served yet.
DROP TRIGGER studio_note_new_jobs ON public.jobs;
DROP TRIGGER studio_note_changed_jobs ON public.jobs;
DROP FUNCTION studio.note_new_jobs();
DROP FUNCTION studio.note_changed_jobs();
DROP TABLE studio.job_callbacks;
DROP TABLE studio.measure_requests;
DROP TABLE studio.event_tickets;
DROP TABLE studio.job_events;
