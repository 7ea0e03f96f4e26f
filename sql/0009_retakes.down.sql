-- Refuses where a retake was asked for, a cut waits for a person, or a project chooses seeds or budgets: that is
-- nowhere else.
DO $$
BEGIN
    IF EXISTS (SELECT FROM studio.retakes) THEN
        RAISE EXCEPTION 'table studio.retakes holds retakes, which undoing 0009_retakes would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.cut_reviews) THEN
        RAISE EXCEPTION 'table studio.cut_reviews holds cuts that wait for a person, which undoing 0009_retakes would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (SELECT FROM studio.project_profiles WHERE budget <> '{}' OR seed_policy <> 'derived')
       OR EXISTS (SELECT FROM studio.cut_profiles WHERE spec ->> 'seed_policy' = 'random') THEN
        RAISE EXCEPTION 'the schema studio holds budgets or seed policies, which undoing 0009_retakes would lose'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END;
$$;

DROP TRIGGER attempts_within_budget ON studio.render_attempts;
DROP TRIGGER takes_are_asked_for ON studio.takes;
DROP TABLE studio.cut_reviews;
DROP TABLE studio.retakes;
DROP FUNCTION studio.check_attempt_budget();
DROP FUNCTION studio.check_take_is_asked_for();
DROP FUNCTION studio.refuse_change_of_retake();
DROP FUNCTION studio.check_retake_budget();
DROP FUNCTION studio.gpu_seconds_spent(INTEGER, CHAR);
DROP FUNCTION studio.budget_of(INTEGER);
ALTER TABLE studio.cut_profiles DROP COLUMN drawn_seed;
ALTER TABLE studio.project_profiles DROP COLUMN budget, DROP COLUMN seed_policy;
ALTER TABLE studio.takes DROP COLUMN story_hash, DROP COLUMN variant;
