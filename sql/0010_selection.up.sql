-- Which take stands for a cut and why: scores, neighbours' distances, people's choices; and which takes' media
-- were removed to free space.

-- A project's weights of the score, and how long losing takes keep their media; empty: the product's defaults.
ALTER TABLE studio.project_profiles
    ADD COLUMN selection JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN retention JSONB NOT NULL DEFAULT '{}';

-- `pruned_at` is written first and the files go then; `media_removed_at` says that they are gone. A take that
-- stands for its cut cannot be pruned, whoever runs at the same moment.
ALTER TABLE studio.takes
    ADD COLUMN pruned_at TIMESTAMP,
    ADD COLUMN media_removed_at TIMESTAMP,
    ADD CONSTRAINT takes_pruned_unselected CHECK (pruned_at IS NULL OR NOT selected),
    ADD CONSTRAINT takes_removed_when_pruned CHECK (media_removed_at IS NULL OR pruned_at IS NOT NULL);
CREATE INDEX takes_being_pruned ON studio.takes (job_id) WHERE pruned_at IS NOT NULL AND media_removed_at IS NULL;

-- The score that takes of a cut are compared by, with what it is made of. `before_job_id` is the take of the
-- cut before that the continuity term was made with; when another is selected there, the score is out of date.
CREATE TABLE studio.selection_scores (
    job_id          INTEGER PRIMARY KEY REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    score           DOUBLE PRECISION CHECK (score BETWEEN 0 AND 1),
    terms           JSONB NOT NULL,
    weights_sha256  CHAR(64) NOT NULL,
    before_job_id   INTEGER REFERENCES studio.takes (job_id) ON DELETE SET NULL,
    scored_at       TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX selection_scores_before ON studio.selection_scores (before_job_id);

-- How far a take's first frame looks from the last one of a take of the cut before, measured once.
CREATE TABLE studio.continuity_distances (
    job_id          INTEGER NOT NULL REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    before_job_id   INTEGER NOT NULL REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    backend         VARCHAR(100) NOT NULL,
    backend_version VARCHAR(100) NOT NULL,
    weights_sha256  CHAR(64),
    settings        JSONB NOT NULL DEFAULT '{}',
    distance        DOUBLE PRECISION NOT NULL CHECK (distance >= 0),
    measured_at     TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (job_id, before_job_id, backend)
);
CREATE INDEX continuity_distances_before ON studio.continuity_distances (before_job_id);

-- A person's choice of a take, kept for good; at most one of a cut holds, until it is released.
CREATE TABLE studio.take_choices (
    id              SERIAL PRIMARY KEY,
    cut_id          INTEGER NOT NULL REFERENCES public.cuts (id) ON DELETE CASCADE,
    job_id          INTEGER NOT NULL REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    chosen_by       VARCHAR(120) NOT NULL CHECK (btrim(chosen_by) <> ''),
    note            TEXT,
    chosen_at       TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    released_by     VARCHAR(120),
    released_at     TIMESTAMP
);
CREATE UNIQUE INDEX take_choices_holding ON studio.take_choices (cut_id) WHERE released_at IS NULL;
CREATE INDEX take_choices_job ON studio.take_choices (job_id);

-- The takes that a delivery shows, which keep their media for as long as it is known.
CREATE TABLE studio.delivery_takes (
    delivery_id     INTEGER NOT NULL REFERENCES studio.deliveries (id) ON DELETE CASCADE,
    job_id          INTEGER NOT NULL REFERENCES studio.takes (job_id) ON DELETE CASCADE,
    PRIMARY KEY (delivery_id, job_id)
);
CREATE INDEX delivery_takes_job ON studio.delivery_takes (job_id);

-- The newest verdict on each take of a cut.
CREATE INDEX gate_verdicts_job ON studio.gate_verdicts (job_id, id DESC) WHERE job_id IS NOT NULL;

-- Files are looked up by content when it is asked whether another take shows them too.
CREATE INDEX take_media_sha256 ON studio.take_media (sha256);
