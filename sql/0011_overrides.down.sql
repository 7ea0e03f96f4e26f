-- Refuses where gates were overridden or thresholds moved: who did it, and why, would be lost.
DO $$
DECLARE
    held TEXT;
    filled BOOLEAN;
BEGIN
    FOREACH held IN ARRAY ARRAY['gate_overrides', 'threshold_changes']
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM studio.%I)', held) INTO filled;
        IF filled THEN
            RAISE EXCEPTION 'table studio.% holds rows, which undoing 0011_overrides would delete', held
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END LOOP;
END;
$$;

DROP TRIGGER gate_verdicts_frozen ON studio.gate_verdicts;
DROP TABLE studio.gate_overrides, studio.threshold_changes;
DROP FUNCTION studio.refuse_change(), studio.refuse_change_but_withdrawal();
DROP INDEX studio.cut_profiles_key_prefix;
ALTER TABLE studio.measurements DROP CONSTRAINT measurements_pkey,
    ADD CONSTRAINT measurements_pkey PRIMARY KEY (job_id, metric_name);
ALTER TABLE studio.measurements DROP COLUMN provenance;
ALTER TABLE studio.deliveries DROP COLUMN overrides;
ALTER TABLE studio.gate_verdicts DROP COLUMN judged_cuts;
