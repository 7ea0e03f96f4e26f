-- Schema studio: what the 25 public tables have no place for. `public` keeps the shape its clients know.
CREATE SCHEMA IF NOT EXISTS studio;

CREATE TABLE studio.project_profiles (
    project_id      INTEGER PRIMARY KEY REFERENCES public.projects (id) ON DELETE CASCADE,
    slug            VARCHAR(63) NOT NULL UNIQUE,
    width           INTEGER NOT NULL CHECK (width BETWEEN 16 AND 8192),
    height          INTEGER NOT NULL CHECK (height BETWEEN 16 AND 8192),
    fps             INTEGER NOT NULL CHECK (fps BETWEEN 1 AND 240),
    workflows       JSONB NOT NULL DEFAULT '{}',
    identity_backend VARCHAR(20) NOT NULL DEFAULT 'ccip' CHECK (identity_backend IN ('arcface', 'ccip')),
    source_path     TEXT,
    source_sha256   CHAR(64),
    updated_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- `spec` is the cut as the production file says it, beyond the columns of public.cuts.
CREATE TABLE studio.cut_profiles (
    cut_id          INTEGER PRIMARY KEY REFERENCES public.cuts (id) ON DELETE CASCADE,
    project_id      INTEGER NOT NULL REFERENCES public.projects (id) ON DELETE CASCADE,
    cut_key         VARCHAR(120) NOT NULL UNIQUE,
    kind            VARCHAR(10) NOT NULL CHECK (kind IN ('still', 'loop', 'video')),
    fps             INTEGER NOT NULL CHECK (fps BETWEEN 1 AND 240),
    workflow        VARCHAR(100),
    takes_wanted    INTEGER NOT NULL DEFAULT 1 CHECK (takes_wanted BETWEEN 1 AND 64),
    spec            JSONB NOT NULL DEFAULT '{}',
    omitted_at      TIMESTAMP,
    updated_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX cut_profiles_project ON studio.cut_profiles (project_id, cut_key) WHERE omitted_at IS NULL;

CREATE TABLE studio.media_files (
    sha256          CHAR(64) PRIMARY KEY,
    kind            VARCHAR(20) NOT NULL CHECK (kind IN ('image', 'video', 'subtitles', 'other')),
    suffix          VARCHAR(12) NOT NULL,
    bytes           BIGINT NOT NULL CHECK (bytes >= 0),
    location        TEXT NOT NULL,
    width           INTEGER,
    height          INTEGER,
    frame_count     INTEGER,
    fps             DOUBLE PRECISION,
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- A recipe is everything that determines a take's pixels; its hash is its name.
CREATE TABLE studio.recipes (
    recipe_hash     CHAR(64) PRIMARY KEY,
    workflow        JSONB NOT NULL,
    inputs          JSONB NOT NULL DEFAULT '{}',
    models          JSONB NOT NULL DEFAULT '{}',
    versions        JSONB NOT NULL DEFAULT '{}',
    template_name   VARCHAR(100) NOT NULL,
    template_sha256 CHAR(64) NOT NULL,
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- A take is a row of public.jobs; this is what jobs has no column for.
-- `ingredients` names each value of the story that decides the pixels, so that a stale take can say why.
CREATE TABLE studio.takes (
    job_id          INTEGER PRIMARY KEY REFERENCES public.jobs (id) ON DELETE CASCADE,
    cut_id          INTEGER NOT NULL REFERENCES public.cuts (id) ON DELETE CASCADE,
    take_number     INTEGER NOT NULL CHECK (take_number >= 1),
    recipe_hash     CHAR(64) NOT NULL REFERENCES studio.recipes (recipe_hash),
    ingredients     JSONB NOT NULL DEFAULT '{}',
    server_kind     VARCHAR(20) CHECK (server_kind IN ('preview', 'comfyui')),
    pixels_sha256   CHAR(64),
    selected        BOOLEAN NOT NULL DEFAULT FALSE,
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (cut_id, take_number)
);
CREATE UNIQUE INDEX takes_one_selected ON studio.takes (cut_id) WHERE selected;
CREATE INDEX takes_recipe ON studio.takes (recipe_hash);

CREATE TABLE studio.take_media (
    job_id          INTEGER NOT NULL REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    role            VARCHAR(20) NOT NULL CHECK (role IN ('film', 'frame', 'thumbnail')),
    position        INTEGER NOT NULL DEFAULT 0,
    sha256          CHAR(64) NOT NULL REFERENCES studio.media_files (sha256),
    PRIMARY KEY (job_id, role, position)
);

-- The fence: a lease's token comes from one sequence, so a later lease always has the larger token.
CREATE SEQUENCE studio.lease_tokens;
CREATE TABLE studio.render_leases (
    queue_id        INTEGER PRIMARY KEY REFERENCES public.render_queue (id) ON DELETE CASCADE,
    token           BIGINT NOT NULL UNIQUE DEFAULT nextval('studio.lease_tokens'),
    worker_id       VARCHAR(120) NOT NULL,
    server_url      TEXT NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX render_leases_expiry ON studio.render_leases (expires_at);

CREATE TABLE studio.render_attempts (
    id              SERIAL PRIMARY KEY,
    job_id          INTEGER NOT NULL REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    queue_id        INTEGER REFERENCES public.render_queue (id) ON DELETE SET NULL,
    server_url      TEXT NOT NULL,
    server_kind     VARCHAR(20) NOT NULL,
    prompt_id       UUID NOT NULL UNIQUE,
    token           BIGINT NOT NULL,
    started_at      TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    finished_at     TIMESTAMPTZ,
    gpu_seconds     DOUBLE PRECISION,
    outcome         VARCHAR(20) CHECK (outcome IN ('succeeded', 'failed', 'lost', 'superseded', 'cancelled')),
    error_class     VARCHAR(40),
    message         TEXT
);
CREATE INDEX render_attempts_job ON studio.render_attempts (job_id);

-- One row per take and metric, measured or not; measured ones are in public.quality_scores as well, where the
-- earlier system's clients look.
CREATE TABLE studio.measurements (
    job_id          INTEGER NOT NULL REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    metric_name     VARCHAR(100) NOT NULL,
    state           VARCHAR(20) NOT NULL CHECK (state IN ('measured', 'not_measurable', 'unavailable')),
    value           DOUBLE PRECISION,
    per_frame       JSONB,
    details         JSONB NOT NULL DEFAULT '{}',
    reason          TEXT,
    remedy          TEXT,
    backend         VARCHAR(100) NOT NULL,
    backend_version VARCHAR(100) NOT NULL,
    weights_sha256  CHAR(64),
    settings        JSONB NOT NULL DEFAULT '{}',
    quality_score_id INTEGER REFERENCES public.quality_scores (id) ON DELETE SET NULL,
    measured_at     TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (job_id, metric_name),
    CHECK ((state = 'measured') = (value IS NOT NULL)),
    CHECK (state = 'measured' OR reason IS NOT NULL)
);

-- Which metric a phase asks, of which kinds of cut, and the quality_gates row whose threshold decides.
CREATE TABLE studio.phase_metrics (
    phase           VARCHAR(30) NOT NULL,
    metric_name     VARCHAR(100) NOT NULL,
    gate_name       VARCHAR(255) REFERENCES public.quality_gates (gate_name) ON UPDATE CASCADE,
    comparison      VARCHAR(10) NOT NULL CHECK (comparison IN ('at_least', 'at_most', 'reported')),
    cut_kinds       TEXT[] NOT NULL,
    PRIMARY KEY (phase, metric_name),
    CHECK ((comparison = 'reported') OR (gate_name IS NOT NULL))
);
CREATE TABLE studio.gate_thresholds (
    project_id      INTEGER NOT NULL REFERENCES public.projects (id) ON DELETE CASCADE,
    gate_name       VARCHAR(255) NOT NULL REFERENCES public.quality_gates (gate_name) ON UPDATE CASCADE,
    threshold_value DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (project_id, gate_name)
);

-- Verdicts are frozen: a new judgement is a new row, and judged_sha256 tells what it judged.
CREATE TABLE studio.gate_verdicts (
    id              SERIAL PRIMARY KEY,
    project_id      INTEGER NOT NULL REFERENCES public.projects (id) ON DELETE CASCADE,
    scope           VARCHAR(10) NOT NULL CHECK (scope IN ('cut', 'scene', 'episode', 'project')),
    scope_key       VARCHAR(120) NOT NULL,
    job_id          INTEGER REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    phase           VARCHAR(30) NOT NULL,
    verdict         VARCHAR(12) NOT NULL CHECK (verdict IN ('passed', 'failed', 'incomplete')),
    cuts_total      INTEGER NOT NULL,
    cuts_passed     INTEGER NOT NULL,
    cuts_failed     INTEGER NOT NULL,
    cuts_unmeasured INTEGER NOT NULL,
    pass_rate       DOUBLE PRECISION,
    wilson_low      DOUBLE PRECISION,
    wilson_high     DOUBLE PRECISION,
    thresholds      JSONB NOT NULL,
    failing         JSONB NOT NULL DEFAULT '[]',
    missing         JSONB NOT NULL DEFAULT '[]',
    reason          TEXT NOT NULL,
    judged_sha256   CHAR(64) NOT NULL,
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CHECK ((scope = 'cut') = (job_id IS NOT NULL))
);
CREATE INDEX gate_verdicts_newest ON studio.gate_verdicts (scope_key, phase, id DESC);

CREATE TABLE studio.deliveries (
    id              SERIAL PRIMARY KEY,
    scope_key       VARCHAR(120) NOT NULL,
    kind            VARCHAR(20) NOT NULL CHECK (kind IN ('reel', 'master', 'contact_sheet', 'subtitles')),
    sha256          CHAR(64) NOT NULL REFERENCES studio.media_files (sha256),
    content_sha256  CHAR(64) NOT NULL,
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX deliveries_newest ON studio.deliveries (scope_key, kind, id DESC);
