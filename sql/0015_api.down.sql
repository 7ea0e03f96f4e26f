-- Refuses while somebody waits for a callback or a measurement. What was told of jobs to those who follow them goes.
DO $$
BEGIN
    IF EXISTS (SELECT FROM studio.job_callbacks WHERE state = 'waiting') THEN
        RAISE EXCEPTION 'table studio.job_callbacks holds callbacks that are not delivered, which undoing 0015_api would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.measure_requests) THEN
        RAISE EXCEPTION 'table studio.measure_requests holds rows, which undoing 0015_api would delete'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END;
$$;

DROP TRIGGER studio_note_new_jobs ON public.jobs;
DROP TRIGGER studio_note_changed_jobs ON public.jobs;
DROP FUNCTION studio.note_new_jobs();
DROP FUNCTION studio.note_changed_jobs();
DROP TABLE studio.job_callbacks;
DROP TABLE studio.measure_requests;
DROP TABLE studio.event_tickets;
DROP TABLE studio.job_events;
