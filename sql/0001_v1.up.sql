-- The 13 tables of the first system. An installation that has them already keeps its own: nothing here
-- replaces a table, a row or a threshold that is there.
CREATE TABLE IF NOT EXISTS public.characters (
    id              SERIAL PRIMARY KEY,
    name            VARCHAR(255) UNIQUE NOT NULL,
    project_id      INTEGER,
    description     TEXT,
    visual_traits   JSONB,
    canonical_hash  VARCHAR(64),
    status          VARCHAR(50) DEFAULT 'draft',
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    metadata        JSONB
);

CREATE TABLE IF NOT EXISTS public.character_anchors (
    id              SERIAL PRIMARY KEY,
    character_id    INTEGER REFERENCES public.characters (id) ON DELETE CASCADE,
    anchor_type     VARCHAR(50) NOT NULL,
    anchor_name     VARCHAR(255) NOT NULL,
    description     TEXT,
    image_path      TEXT NOT NULL,
    face_embedding  BYTEA,
    clip_embedding  BYTEA,
    generation_params JSONB,
    quality_score   FLOAT,
    aesthetic_score FLOAT,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    metadata        JSONB
);

CREATE TABLE IF NOT EXISTS public.face_embeddings (
    id              SERIAL PRIMARY KEY,
    character_id    INTEGER REFERENCES public.characters (id) ON DELETE CASCADE,
    anchor_id       INTEGER REFERENCES public.character_anchors (id) ON DELETE CASCADE,
    embedding_type  VARCHAR(50) NOT NULL,
    embedding_vector BYTEA NOT NULL,
    face_bbox       JSONB,
    face_landmarks  JSONB,
    confidence_score FLOAT,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS public.generation_consistency (
    id              SERIAL PRIMARY KEY,
    character_id    INTEGER REFERENCES public.characters (id) ON DELETE CASCADE,
    generation_request_id VARCHAR(255),
    output_image_path TEXT NOT NULL,
    face_similarity_score FLOAT,
    style_similarity_score FLOAT,
    aesthetic_score FLOAT,
    overall_consistency_score FLOAT,
    quality_gates_passed BOOLEAN DEFAULT FALSE,
    validation_status VARCHAR(50) DEFAULT 'pending',
    improvement_suggestions TEXT[],
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    metadata        JSONB
);

CREATE TABLE IF NOT EXISTS public.quality_gates (
    id              SERIAL PRIMARY KEY,
    gate_name       VARCHAR(255) UNIQUE NOT NULL,
    gate_type       VARCHAR(100) NOT NULL,
    threshold_value FLOAT NOT NULL,
    is_active       BOOLEAN DEFAULT TRUE,
    description     TEXT,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    metadata        JSONB
);

CREATE TABLE IF NOT EXISTS public.style_consistency (
    id              SERIAL PRIMARY KEY,
    character_id    INTEGER REFERENCES public.characters (id) ON DELETE CASCADE,
    style_element   VARCHAR(100) NOT NULL,
    reference_description TEXT,
    validation_prompt TEXT,
    consistency_threshold FLOAT DEFAULT 0.85,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS public.ipadapter_configs (
    id              SERIAL PRIMARY KEY,
    config_name     VARCHAR(255) UNIQUE NOT NULL,
    character_id    INTEGER REFERENCES public.characters (id) ON DELETE CASCADE,
    model_path      TEXT NOT NULL,
    weight          FLOAT DEFAULT 1.0,
    start_at        FLOAT DEFAULT 0.0,
    end_at          FLOAT DEFAULT 1.0,
    faceid_v2       BOOLEAN DEFAULT FALSE,
    weight_v2       FLOAT DEFAULT 1.0,
    combine_embeds  VARCHAR(50) DEFAULT 'concat',
    embeds_scaling  VARCHAR(50) DEFAULT 'V only',
    is_active       BOOLEAN DEFAULT TRUE,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    config_data     JSONB
);

CREATE TABLE IF NOT EXISTS public.stories (
    story_id        VARCHAR(255) PRIMARY KEY,
    title           TEXT NOT NULL,
    description     TEXT,
    author          VARCHAR(255),
    current_branch  VARCHAR(255) DEFAULT 'main',
    head_commit     VARCHAR(255),
    working_story   JSONB,
    metadata        JSONB,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS public.story_commits (
    commit_hash     VARCHAR(255) PRIMARY KEY,
    story_id        VARCHAR(255) REFERENCES public.stories (story_id) ON DELETE CASCADE,
    parent_hash     VARCHAR(255) REFERENCES public.story_commits (commit_hash),
    author          VARCHAR(255),
    message         TEXT,
    changes         JSONB,
    story_snapshot  JSONB,
    timestamp       TIMESTAMP
);

CREATE TABLE IF NOT EXISTS public.story_branches (
    branch_id       SERIAL PRIMARY KEY,
    story_id        VARCHAR(255) REFERENCES public.stories (story_id) ON DELETE CASCADE,
    branch_name     VARCHAR(255) NOT NULL,
    head_commit     VARCHAR(255),
    parent_branch   VARCHAR(255),
    description     TEXT,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (story_id, branch_name)
);

CREATE TABLE IF NOT EXISTS public.character_evolution (
    evolution_id    SERIAL PRIMARY KEY,
    story_id        VARCHAR(255) REFERENCES public.stories (story_id) ON DELETE CASCADE,
    character_name  VARCHAR(255) NOT NULL,
    commit_hash     VARCHAR(255) REFERENCES public.story_commits (commit_hash),
    evolution_state JSONB,
    emotional_state JSONB,
    relationships   JSONB,
    timestamp       TIMESTAMP
);

CREATE TABLE IF NOT EXISTS public.user_interactions (
    interaction_id  SERIAL PRIMARY KEY,
    story_id        VARCHAR(255) REFERENCES public.stories (story_id) ON DELETE CASCADE,
    user_id         VARCHAR(255),
    interaction_type VARCHAR(50),
    intent          JSONB,
    decision        JSONB,
    feedback        JSONB,
    timestamp       TIMESTAMP
);

CREATE TABLE IF NOT EXISTS public.user_preferences (
    user_id         VARCHAR(255) PRIMARY KEY,
    preferred_styles JSONB,
    avoided_styles  JSONB,
    interaction_history JSONB,
    learned_patterns JSONB,
    created_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at      TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

-- An installation keeps a function and a trigger of its own that do this.
DO $$
BEGIN
    IF to_regprocedure('public.update_updated_at_column()') IS NULL THEN
        CREATE FUNCTION public.update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            NEW.updated_at = CURRENT_TIMESTAMP;
            RETURN NEW;
        END;
        $body$;
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = 'public.characters'::regclass
          AND tgfoid = to_regprocedure('public.update_updated_at_column()')
    ) THEN
        CREATE TRIGGER update_characters_updated_at BEFORE UPDATE ON public.characters
            FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
    END IF;
END;
$$;

INSERT INTO public.quality_gates (gate_name, gate_type, threshold_value, description)
SELECT shipped.* FROM (VALUES
    ('face_similarity_minimum', 'face_similarity', 0.70, 'Likeness of a face to its character''s anchors'),
    ('aesthetic_score_minimum', 'aesthetic', 5.5, 'Aesthetic score of a picture, 1 to 10'),
    ('style_clip_minimum', 'style', 0.85, 'Likeness of a picture to the project''s style references'),
    ('overall_consistency_minimum', 'consistency', 0.75, 'Overall consistency of a character''s picture')
) AS shipped (gate_name, gate_type, threshold_value, description)
WHERE NOT EXISTS (SELECT FROM public.quality_gates held WHERE held.gate_name = shipped.gate_name);
