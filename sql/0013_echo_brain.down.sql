-- Refuses while the supervisor has still to be told something, or has told us something: both would be lost.
DO $$
BEGIN
    IF EXISTS (SELECT FROM studio.outbox WHERE state <> 'delivered') THEN
        RAISE EXCEPTION 'table studio.outbox holds events that are not delivered, which undoing 0013_echo_brain would delete'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.echo_task_jobs) THEN
        RAISE EXCEPTION 'table studio.echo_task_jobs holds rows, which undoing 0013_echo_brain would delete'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.take_rejections) THEN
        RAISE EXCEPTION 'table studio.take_rejections holds rows, which undoing 0013_echo_brain would delete'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.inbox) THEN
        RAISE EXCEPTION 'table studio.inbox holds rows, which undoing 0013_echo_brain would delete'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END;
$$;

DROP TRIGGER tell_of_verdict ON studio.gate_verdicts;
DROP TRIGGER tell_of_job ON public.jobs;
DROP FUNCTION studio.tell_of_verdict();
DROP FUNCTION studio.tell_of_job();
DROP FUNCTION studio.write_event(TEXT, INTEGER, JSONB);
DROP FUNCTION studio.job_facts(INTEGER);
DROP FUNCTION studio.supervisor_listens();
DROP TABLE studio.take_rejections, studio.inbox, studio.outbox, studio.echo_task_jobs, studio.echo_worker;
