-- The worker protocol: who we are to the supervisor, what it told us, and what it has still to be told.

-- One row. `supervisor_url` and `seen_at` are what the triggers below ask: no supervisor, no events. A process
-- that has ANIME_ECHO_BRAIN_URL renews `seen_at`; a supervisor that none has named for a week is gone.
-- `wanted` is a person's word (echo register, echo unregister). `failures`, `retry_at` and `last_error` are
-- those of registration and heartbeat; `outages`, `deliver_at` and `outage_error` those of delivery.
CREATE TABLE studio.echo_worker (
    singleton       BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (singleton),
    worker_id       VARCHAR(40) NOT NULL,
    supervisor_url  TEXT,
    seen_at         TIMESTAMPTZ,
    wanted          BOOLEAN NOT NULL DEFAULT TRUE,
    registered_at   TIMESTAMPTZ,
    registered_as   JSONB,
    heartbeat_at    TIMESTAMPTZ,
    told            JSONB,
    failures        INTEGER NOT NULL DEFAULT 0,
    retry_at        TIMESTAMPTZ,
    last_error      TEXT,
    outages         INTEGER NOT NULL DEFAULT 0,
    deliver_at      TIMESTAMPTZ,
    outage_error    TEXT
);

-- Which takes were asked for by which of the supervisor's tasks.
CREATE TABLE studio.echo_task_jobs (
    task_id         VARCHAR(200) NOT NULL,
    job_id          INTEGER NOT NULL REFERENCES public.jobs (id) ON DELETE CASCADE,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (task_id, job_id)
);
CREATE INDEX echo_task_jobs_job ON studio.echo_task_jobs (job_id);

-- Events for the supervisor, written in the transaction of what they tell of. Delivered in the order of ids
-- within a job. An event outlives its job, so it has no foreign key.
CREATE TABLE studio.outbox (
    id              BIGSERIAL PRIMARY KEY,
    event_id        UUID NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    event_type      VARCHAR(30) NOT NULL
                    CHECK (event_type IN ('job.completed', 'job.failed', 'quality.passed', 'quality.failed')),
    job_id          INTEGER NOT NULL,
    task_id         VARCHAR(200),
    data            JSONB NOT NULL DEFAULT '{}',
    occurred_at     TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    state           VARCHAR(12) NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    failures        INTEGER NOT NULL DEFAULT 0,
    not_before      TIMESTAMPTZ,
    delivered_at    TIMESTAMPTZ,
    last_error      TEXT
);
CREATE INDEX outbox_open ON studio.outbox (job_id, id) WHERE state <> 'delivered';
CREATE INDEX outbox_delivered ON studio.outbox (delivered_at) WHERE state = 'delivered';

-- Messages of the supervisor, each stored with its effect in one transaction. `raw` is a body that is no JSON.
-- `signatures` are those of all its sendings: one that comes again is a replay.
CREATE TABLE studio.inbox (
    event_id        VARCHAR(200) PRIMARY KEY,
    source          VARCHAR(10) NOT NULL CHECK (source IN ('webhook', 'task')),
    event_type      VARCHAR(100),
    task_id         VARCHAR(200),
    body            JSONB,
    raw             TEXT,
    body_sha256     CHAR(64) NOT NULL,
    signatures      TEXT[] NOT NULL,
    state           VARCHAR(10) NOT NULL CHECK (state IN ('applied', 'refused', 'unknown', 'failed')),
    reason          TEXT,
    outcome         JSONB NOT NULL DEFAULT '{}',
    receipts        INTEGER NOT NULL DEFAULT 1,
    received_at     TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    applied_at      TIMESTAMPTZ,
    CHECK ((state = 'applied') = (applied_at IS NOT NULL)),
    CHECK (state = 'applied' OR reason IS NOT NULL)
);
CREATE INDEX inbox_newest ON studio.inbox (received_at DESC);

-- Takes that were turned down, by the supervisor or a person: none is selected by its score again.
CREATE TABLE studio.take_rejections (
    job_id          INTEGER PRIMARY KEY REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    rejected_by     VARCHAR(120) NOT NULL CHECK (btrim(rejected_by) <> ''),
    reason          TEXT NOT NULL DEFAULT '',
    rejected_at     TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE FUNCTION studio.supervisor_listens() RETURNS BOOLEAN LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM studio.echo_worker
                   WHERE supervisor_url IS NOT NULL AND seen_at > clock_timestamp() - interval '7 days')
$$;

-- What an event tells of a job.
CREATE FUNCTION studio.job_facts(wanted INTEGER) RETURNS JSONB LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'status', j.status, 'job_type', j.job_type, 'project_id', j.project_id, 'cut_key', p.cut_key,
        'take_number', t.take_number, 'recipe_hash', t.recipe_hash, 'server_kind', t.server_kind,
        'reproduces_job_id', t.reproduces_job_id, 'output_path', j.output_path, 'error', j.error_message)
    FROM public.jobs j
    LEFT JOIN studio.takes t ON t.job_id = j.id
    LEFT JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    WHERE j.id = wanted
$$;

-- One event for each task that asked for the job, or one without a task.
CREATE FUNCTION studio.write_event(kind TEXT, of_job INTEGER, facts JSONB) RETURNS VOID LANGUAGE sql AS $$
    INSERT INTO studio.outbox (event_type, job_id, task_id, data)
    SELECT kind, of_job, asked.task_id, facts
    FROM (SELECT 1) one LEFT JOIN studio.echo_task_jobs asked ON asked.job_id = of_job
    ORDER BY asked.created_at, asked.task_id
$$;

-- Triggers, and not calls: rendering and quality know nothing of a supervisor, other clients write jobs as
-- well, and what is written by a trigger is in the transaction whatever path led there.
CREATE FUNCTION studio.tell_of_job() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF studio.supervisor_listens() THEN
        PERFORM studio.write_event(
            CASE NEW.status WHEN 'completed' THEN 'job.completed' ELSE 'job.failed' END, NEW.id,
            studio.job_facts(NEW.id));
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER tell_of_job AFTER UPDATE OF status ON public.jobs FOR EACH ROW
    WHEN (NEW.status IN ('completed', 'failed', 'timeout', 'cancelled') AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION studio.tell_of_job();

CREATE FUNCTION studio.tell_of_verdict() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF studio.supervisor_listens() THEN
        PERFORM studio.write_event(
            'quality.' || NEW.verdict, NEW.job_id,
            jsonb_build_object('cut_key', NEW.scope_key, 'phase', NEW.phase, 'verdict', NEW.verdict,
                               'reason', NEW.reason, 'failing', NEW.failing, 'verdict_id', NEW.id,
                               'judged_sha256', NEW.judged_sha256));
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER tell_of_verdict AFTER INSERT ON studio.gate_verdicts FOR EACH ROW
    WHEN (NEW.scope = 'cut' AND NEW.verdict IN ('passed', 'failed'))
    EXECUTE FUNCTION studio.tell_of_verdict();
