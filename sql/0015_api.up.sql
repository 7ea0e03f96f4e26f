-- What happened to jobs, in order, for those who follow them: written with the change itself, so that every
-- writer is covered. txid orders events of transactions that overlap: a reader takes those below its snapshot's
-- xmin, and misses none.
CREATE TABLE studio.job_events (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    txid BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    job_id INTEGER NOT NULL REFERENCES public.jobs (id) ON DELETE CASCADE,
    status VARCHAR(50) NOT NULL,
    current_frame INTEGER,
    total_frames INTEGER,
    message TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX job_events_order ON studio.job_events (txid, id);
CREATE INDEX job_events_job ON studio.job_events (job_id);
CREATE INDEX job_events_age ON studio.job_events (created_at);

CREATE FUNCTION studio.note_new_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO studio.job_events (job_id, status, current_frame, total_frames, message)
    SELECT id, COALESCE(status, 'pending'), current_frame, total_frames, error_message
    FROM added ORDER BY id;
    RETURN NULL;
END $$;

CREATE FUNCTION studio.note_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO studio.job_events (job_id, status, current_frame, total_frames, message)
    SELECT id, COALESCE(n.status, 'pending'), n.current_frame, n.total_frames, n.error_message
    FROM changed n JOIN before o USING (id)
    WHERE (n.status, n.current_frame) IS DISTINCT FROM (o.status, o.current_frame) ORDER BY id;
    RETURN NULL;
END $$;

CREATE TRIGGER studio_note_new_jobs AFTER INSERT ON public.jobs
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION studio.note_new_jobs();
CREATE TRIGGER studio_note_changed_jobs AFTER UPDATE ON public.jobs
    REFERENCING OLD TABLE AS before NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION studio.note_changed_jobs();

-- A short-lived pass for browsers, whose EventSource and WebSocket send no headers; used once, kept as a hash.
CREATE TABLE studio.event_tickets (
    ticket_sha256 CHAR(64) PRIMARY KEY,
    actor TEXT NOT NULL,
    role VARCHAR(20) NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL
);

-- URLs that the end of a job is posted to, at least once, under one event id.
CREATE TABLE studio.job_callbacks (
    job_id INTEGER PRIMARY KEY REFERENCES public.jobs (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    event_id UUID NOT NULL DEFAULT gen_random_uuid(),
    state VARCHAR(12) NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    failures INTEGER NOT NULL DEFAULT 0,
    not_before TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    delivered_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX job_callbacks_waiting ON studio.job_callbacks (job_id) WHERE state = 'waiting';

-- Takes that someone wants measured, also again; a row leaves when its take is measured.
CREATE TABLE studio.measure_requests (
    job_id INTEGER PRIMARY KEY REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    requested_by TEXT,
    requested_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
