-- Recipes rendered again: which take renders which one again, what each attempt rendered on, and what came of it.

-- Everything a recipe's graph renders with, read from the graph: each sampler with its models, weights and prompts.
ALTER TABLE studio.recipes ADD COLUMN parameters JSONB;

-- A project's model file for each kind of cut, where it is not the workflow's own.
ALTER TABLE studio.project_profiles ADD COLUMN models JSONB NOT NULL DEFAULT '{}';

-- Server, versions, devices, node classes and model files, under the hash of all of them: most attempts share one.
CREATE TABLE studio.render_environments (
    environment_hash CHAR(64) PRIMARY KEY,
    facts            JSONB NOT NULL,
    created_at       TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
ALTER TABLE studio.render_attempts
    ADD COLUMN environment_hash CHAR(64) REFERENCES studio.render_environments (environment_hash);

-- A take that renders another again shows nothing new: it is never selected, and never stands for its cut.
ALTER TABLE studio.takes
    ADD COLUMN reproduces_job_id INTEGER REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    ADD CONSTRAINT takes_reproduction_unselected CHECK (reproduces_job_id IS NULL OR NOT selected);
CREATE INDEX takes_reproduces ON studio.takes (reproduces_job_id) WHERE reproduces_job_id IS NOT NULL;

-- The verdict on a second rendering. `environment` lists what differs: field, before, after.
CREATE TABLE studio.reproductions (
    job_id          INTEGER PRIMARY KEY REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    verdict         VARCHAR(20) NOT NULL
                    CHECK (verdict IN ('identical', 'equal_within_2', 'different', 'not_rendered')),
    reason          TEXT NOT NULL,
    max_difference  INTEGER CHECK (max_difference BETWEEN 0 AND 255),
    changed_share   DOUBLE PRECISION CHECK (changed_share BETWEEN 0 AND 1),
    psnr            DOUBLE PRECISION,
    ssim            DOUBLE PRECISION,
    worst_frame     INTEGER,
    difference_sha256 CHAR(64) REFERENCES studio.media_files (sha256),
    environment     JSONB NOT NULL DEFAULT '[]',
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
