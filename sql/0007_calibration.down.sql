-- Refuses where a studio has chosen pictures or calibrated: those would be lost.
DO $$
DECLARE
    held TEXT;
    filled BOOLEAN;
BEGIN
    FOREACH held IN ARRAY ARRAY['style_pictures', 'calibrations']
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM studio.%I)', held) INTO filled;
        IF filled THEN
            RAISE EXCEPTION 'table studio.% holds rows, which undoing 0007_calibration would delete', held
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END LOOP;
END;
$$;

DELETE FROM studio.phase_metrics WHERE metric_name = 'shot_changes';
DROP TABLE studio.calibrations, studio.style_pictures;
