-- Refuses while schema studio holds a row. The schema itself stays: the migration ledger lives in it.
DO $$
DECLARE
    held TEXT;
    filled BOOLEAN;
BEGIN
    FOREACH held IN ARRAY ARRAY[
        'project_profiles', 'cut_profiles', 'media_files', 'recipes', 'takes', 'take_media', 'render_leases',
        'render_attempts', 'measurements', 'phase_metrics', 'gate_thresholds', 'gate_verdicts', 'deliveries']
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM studio.%I)', held) INTO filled;
        IF filled THEN
            RAISE EXCEPTION 'table studio.% holds rows, which undoing 0003_studio would delete', held
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END LOOP;
END;
$$;

DROP TABLE studio.deliveries, studio.gate_verdicts, studio.gate_thresholds, studio.phase_metrics,
    studio.measurements, studio.render_attempts, studio.render_leases, studio.take_media, studio.takes,
    studio.recipes, studio.media_files, studio.cut_profiles, studio.project_profiles;
DROP SEQUENCE studio.lease_tokens;
