-- What a project's style and characters are told by: approved pictures, and what they say of a metric's scale.
CREATE TABLE studio.style_pictures (
    project_id      INTEGER NOT NULL REFERENCES public.projects (id) ON DELETE CASCADE,
    sha256          CHAR(64) NOT NULL REFERENCES studio.media_files (sha256),
    role            VARCHAR(10) NOT NULL CHECK (role IN ('approved', 'other')),
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (project_id, sha256)
);

-- A calibration is never changed: other pictures, weights or thresholds make a new one, and the newest holds.
-- `same` and `different` are on the metric's scale, `raw` as the model gives them; `scale` is the style's.
CREATE TABLE studio.calibrations (
    id              SERIAL PRIMARY KEY,
    project_id      INTEGER NOT NULL REFERENCES public.projects (id) ON DELETE CASCADE,
    subject         VARCHAR(10) NOT NULL CHECK (subject IN ('identity', 'style')),
    backend         VARCHAR(100) NOT NULL,
    weights_sha256  CHAR(64) NOT NULL,
    references_sha256 CHAR(64) NOT NULL,
    pictures        JSONB NOT NULL,
    same            JSONB NOT NULL,
    different       JSONB NOT NULL,
    raw             JSONB NOT NULL,
    scale           JSONB NOT NULL DEFAULT '{}',
    auc             DOUBLE PRECISION NOT NULL CHECK (auc BETWEEN 0 AND 1),
    threshold       DOUBLE PRECISION,
    plot_sha256     CHAR(64) NOT NULL REFERENCES studio.media_files (sha256),
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX calibrations_newest ON studio.calibrations (project_id, subject, id DESC);

INSERT INTO studio.phase_metrics (phase, metric_name, gate_name, comparison, cut_kinds)
VALUES
    ('phase_0_animatic', 'shot_changes', NULL, 'reported', '{loop,video}'),
    ('phase_2_loop', 'shot_changes', NULL, 'reported', '{loop}'),
    ('phase_3_video', 'shot_changes', NULL, 'reported', '{video}')
ON CONFLICT (phase, metric_name) DO NOTHING;
