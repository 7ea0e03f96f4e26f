-- The 12 tables that v2.0 adds. The last column group of a table, where there is one, serves clients of an
-- earlier draft of v2. Tables that an installation has already were compared and completed before this runs.
CREATE TABLE IF NOT EXISTS public.projects (
    id              SERIAL PRIMARY KEY,
    name            VARCHAR(255) NOT NULL UNIQUE,
    description     TEXT,
    type            VARCHAR(100) DEFAULT 'anime',
    status          VARCHAR(50) DEFAULT 'active',
    metadata        JSONB DEFAULT '{}',
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS public.story_bibles (
    id              SERIAL PRIMARY KEY,
    project_id      INTEGER REFERENCES public.projects (id) ON DELETE CASCADE,
    version         INTEGER DEFAULT 1,
    art_style_description TEXT,
    color_palette   JSONB,
    character_design_rules TEXT,
    world_building_notes TEXT,
    technical_requirements JSONB,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,

    line_weight     TEXT,
    shading_style   TEXT,
    setting_description TEXT,
    time_period     TEXT,
    mood_keywords   TEXT[],
    narrative_themes TEXT[],
    global_seed     BIGINT,
    updated_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (project_id, version)
);

CREATE TABLE IF NOT EXISTS public.episodes (
    id              SERIAL PRIMARY KEY,
    project_id      INTEGER REFERENCES public.projects (id) ON DELETE CASCADE,
    episode_number  INTEGER NOT NULL,
    title           VARCHAR(255),
    synopsis        TEXT,
    status          VARCHAR(50) DEFAULT 'pre_production',
    target_duration_seconds INTEGER,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (project_id, episode_number)
);

CREATE TABLE IF NOT EXISTS public.scenes (
    id              SERIAL PRIMARY KEY,
    episode_id      INTEGER REFERENCES public.episodes (id) ON DELETE CASCADE,
    scene_number    INTEGER NOT NULL,
    name            VARCHAR(255),
    description     TEXT,
    location        VARCHAR(255),
    time_of_day     VARCHAR(50),
    mood            VARCHAR(100),
    duration_frames INTEGER,
    style_overrides JSONB,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (episode_id, scene_number)
);

CREATE TABLE IF NOT EXISTS public.cuts (
    id              SERIAL PRIMARY KEY,
    scene_id        INTEGER REFERENCES public.scenes (id) ON DELETE CASCADE,
    cut_number      INTEGER NOT NULL,
    description     TEXT,
    camera_angle    VARCHAR(100),
    duration_frames INTEGER,
    character_ids   INTEGER[],
    dialogue        TEXT,
    action_notes    TEXT,
    status          VARCHAR(50) DEFAULT 'pending',
    output_path     VARCHAR(500),
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (scene_id, cut_number)
);

CREATE TABLE IF NOT EXISTS public.jobs (
    id              SERIAL PRIMARY KEY,
    project_id      INTEGER REFERENCES public.projects (id) ON DELETE CASCADE,
    character_id    INTEGER REFERENCES public.characters (id) ON DELETE SET NULL,
    job_type        VARCHAR(100) NOT NULL,
    status          VARCHAR(50) DEFAULT 'pending',
    priority        INTEGER DEFAULT 0,
    prompt          TEXT,
    negative_prompt TEXT,
    output_path     VARCHAR(500),
    error_message   TEXT,
    metadata        JSONB DEFAULT '{}',
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    completed_at    TIMESTAMP,

    scene_id        INTEGER REFERENCES public.scenes (id) ON DELETE SET NULL,
    cut_id          INTEGER REFERENCES public.cuts (id) ON DELETE SET NULL,
    total_frames    INTEGER,
    current_frame   INTEGER,
    started_at      TIMESTAMP
);
CREATE INDEX IF NOT EXISTS idx_jobs_status ON public.jobs (status);
CREATE INDEX IF NOT EXISTS idx_jobs_character_id ON public.jobs (character_id);
CREATE INDEX IF NOT EXISTS idx_jobs_created_at ON public.jobs (created_at);

CREATE TABLE IF NOT EXISTS public.character_attributes (
    id              SERIAL PRIMARY KEY,
    character_id    INTEGER REFERENCES public.characters (id) ON DELETE CASCADE,
    attribute_type  VARCHAR(100) NOT NULL,
    attribute_value TEXT NOT NULL,
    prompt_tokens   TEXT[],
    priority        INTEGER DEFAULT 0,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS public.character_variations (
    id              SERIAL PRIMARY KEY,
    character_id    INTEGER REFERENCES public.characters (id) ON DELETE CASCADE,
    variation_name  VARCHAR(255) NOT NULL,
    variation_type  VARCHAR(100),
    prompt_modifiers JSONB,
    reference_image_path VARCHAR(500),
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

-- ComfyUI's seeds are unsigned 64-bit; the models keep them here as two's complement.
CREATE TABLE IF NOT EXISTS public.generation_params (
    id              SERIAL PRIMARY KEY,
    job_id          INTEGER REFERENCES public.jobs (id) ON DELETE CASCADE,
    positive_prompt TEXT NOT NULL,
    negative_prompt TEXT,
    seed            BIGINT NOT NULL,
    subseed         BIGINT,
    model_name      VARCHAR(255) NOT NULL,
    model_hash      VARCHAR(64),
    vae_name        VARCHAR(255),
    sampler_name    VARCHAR(100),
    scheduler       VARCHAR(100),
    steps           INTEGER,
    cfg_scale       FLOAT,
    width           INTEGER,
    height          INTEGER,
    batch_size      INTEGER DEFAULT 1,
    n_iter          INTEGER DEFAULT 1,
    lora_models     JSONB DEFAULT '[]',
    controlnet_configs JSONB DEFAULT '[]',
    comfyui_workflow JSONB,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,

    frame_count     INTEGER DEFAULT 1,
    fps             INTEGER DEFAULT 24,
    ipadapter_refs  JSONB
);
CREATE INDEX IF NOT EXISTS idx_generation_params_job_id ON public.generation_params (job_id);

CREATE TABLE IF NOT EXISTS public.quality_scores (
    id              SERIAL PRIMARY KEY,
    job_id          INTEGER REFERENCES public.jobs (id) ON DELETE CASCADE,
    metric_name     VARCHAR(100) NOT NULL,
    score_value     FLOAT NOT NULL,
    threshold_min   FLOAT,
    threshold_max   FLOAT,
    passed          BOOLEAN,
    details         JSONB,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS idx_quality_scores_job_id ON public.quality_scores (job_id);
CREATE INDEX IF NOT EXISTS idx_quality_scores_metric_name ON public.quality_scores (metric_name);
CREATE INDEX IF NOT EXISTS idx_quality_scores_passed ON public.quality_scores (passed);

CREATE TABLE IF NOT EXISTS public.scene_characters (
    id              SERIAL PRIMARY KEY,
    scene_id        INTEGER REFERENCES public.scenes (id) ON DELETE CASCADE,
    character_id    INTEGER REFERENCES public.characters (id) ON DELETE CASCADE,
    role            VARCHAR(100),
    costume_variant VARCHAR(255),
    emotional_state VARCHAR(100),
    position_notes  TEXT,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,

    entrance_frame  INTEGER DEFAULT 0,
    exit_frame      INTEGER,
    UNIQUE (scene_id, character_id)
);

CREATE TABLE IF NOT EXISTS public.render_queue (
    id              SERIAL PRIMARY KEY,
    cut_id          INTEGER REFERENCES public.cuts (id) ON DELETE CASCADE,
    priority        INTEGER DEFAULT 0,
    status          VARCHAR(50) DEFAULT 'queued',
    attempts        INTEGER DEFAULT 0,
    max_attempts    INTEGER DEFAULT 3,
    error_message   TEXT,
    render_params   JSONB,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    started_at      TIMESTAMP,
    completed_at    TIMESTAMP,

    job_id          INTEGER REFERENCES public.jobs (id) ON DELETE CASCADE,
    worker_id       VARCHAR(255)
);
CREATE INDEX IF NOT EXISTS idx_render_queue_status ON public.render_queue (status);
CREATE INDEX IF NOT EXISTS idx_render_queue_priority ON public.render_queue (priority);
CREATE INDEX IF NOT EXISTS idx_render_queue_created_at ON public.render_queue (created_at);

ALTER TABLE public.characters
    ADD COLUMN IF NOT EXISTS reference_embedding BYTEA,
    ADD COLUMN IF NOT EXISTS color_palette JSONB,
    ADD COLUMN IF NOT EXISTS base_prompt TEXT,
    ADD COLUMN IF NOT EXISTS negative_tokens TEXT[],
    ADD COLUMN IF NOT EXISTS lora_model_path VARCHAR(500);

-- A new project must not take a number that characters of the first system already name.
SELECT setval(pg_get_serial_sequence('public.projects', 'id'), named.largest)
FROM (SELECT max(project_id) AS largest FROM public.characters WHERE project_id < 2000000000) AS named
WHERE named.largest > (SELECT coalesce(max(id), 0) FROM public.projects)
  AND pg_get_serial_sequence('public.projects', 'id') IS NOT NULL;
INSERT INTO public.projects (name, description)
VALUES ('Default Anime Project', 'Characters that belonged to no project before v2.0')
ON CONFLICT (name) DO NOTHING;

-- Linking a character changes nothing about it: the triggers of characters, which would change updated_at, rest meanwhile.
DO $$
DECLARE
    resting TEXT[] := ARRAY(
        SELECT format('%s TRIGGER %I', CASE tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA'
                      ELSE 'ENABLE' END, tgname)
        FROM pg_trigger WHERE tgrelid = 'public.characters'::regclass AND NOT tgisinternal AND tgenabled <> 'D');
    waking TEXT;
BEGIN
    ALTER TABLE public.characters DISABLE TRIGGER USER;
    UPDATE public.characters
    SET project_id = (SELECT id FROM public.projects WHERE name = 'Default Anime Project')
    WHERE project_id IS NULL;
    FOREACH waking IN ARRAY resting LOOP
        EXECUTE 'ALTER TABLE public.characters ' || waking;
    END LOOP;
END;
$$;
