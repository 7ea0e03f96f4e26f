-- Refuses where takes have been rendered again, attempts noted what they rendered on, or a project names its
-- models: that is nowhere else.
DO $$
BEGIN
    IF EXISTS (SELECT FROM studio.takes WHERE reproduces_job_id IS NOT NULL) THEN
        RAISE EXCEPTION 'table studio.reproductions holds verdicts on second renderings, which undoing 0006_reproduction would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.render_environments) THEN
        RAISE EXCEPTION 'table studio.render_environments tells what attempts rendered on, which undoing 0006_reproduction would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.project_profiles WHERE models <> '{}') THEN
        RAISE EXCEPTION 'table studio.project_profiles holds projects'' models, which undoing 0006_reproduction would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END;
$$;

DROP TABLE studio.reproductions;
ALTER TABLE studio.takes DROP COLUMN reproduces_job_id;
ALTER TABLE studio.render_attempts DROP COLUMN environment_hash;
DROP TABLE studio.render_environments;
ALTER TABLE studio.project_profiles DROP COLUMN models;
ALTER TABLE studio.recipes DROP COLUMN parameters;
