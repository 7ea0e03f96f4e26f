-- Refuses where people have chosen takes, takes were pruned or films built of them: nothing else would know of it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM studio.take_choices) THEN
        RAISE EXCEPTION 'table studio.take_choices holds people''s choices of takes, which undoing 0010_selection would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.delivery_takes) THEN
        RAISE EXCEPTION 'table studio.delivery_takes tells which takes films show, which undoing 0010_selection would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.takes WHERE pruned_at IS NOT NULL) THEN
        RAISE EXCEPTION 'table studio.takes holds takes without media, which undoing 0010_selection would take for lost'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.project_profiles WHERE selection <> '{}' OR retention <> '{}') THEN
        RAISE EXCEPTION 'table studio.project_profiles holds weights and retention of projects, which undoing 0010_selection would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END;
$$;

DROP INDEX studio.take_media_sha256, studio.gate_verdicts_job;
DROP TABLE studio.delivery_takes, studio.take_choices, studio.continuity_distances, studio.selection_scores;
ALTER TABLE studio.takes DROP COLUMN media_removed_at, DROP COLUMN pruned_at;
ALTER TABLE studio.project_profiles DROP COLUMN retention, DROP COLUMN selection;
