-- Refuses where a studio has changed a threshold or set a project's own: those would be lost.
DO $$
BEGIN
    IF EXISTS (SELECT FROM studio.gate_thresholds) THEN
        RAISE EXCEPTION 'table studio.gate_thresholds holds projects'' own thresholds, which undoing 0004_gates would orphan'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (
        SELECT FROM public.quality_gates
        WHERE metadata ->> 'added_by' = '0004_gates'
          AND (NOT is_active OR (gate_name, threshold_value) NOT IN (
            ('media_contract_minimum', 1.0), ('animatic_flicker_minimum', 0.90),
            ('motion_smoothness_minimum', 0.95), ('dynamic_degree_minimum', 0.0002),
            ('generation_seconds_maximum', 20), ('reproducible_minimum', 1),
            ('temporal_lpips_maximum', 0.15), ('loop_closure_maximum', 0.15),
            ('subject_consistency_minimum', 0.90), ('phase_pass_rate_minimum', 0.80),
            ('phase_cuts_minimum', 5)))
    ) THEN
        RAISE EXCEPTION 'table quality_gates holds thresholds of your own, which undoing 0004_gates would delete'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END;
$$;

DELETE FROM studio.phase_metrics;
DELETE FROM public.quality_gates WHERE metadata ->> 'added_by' = '0004_gates';
