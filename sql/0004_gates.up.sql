-- What each phase asks, and the thresholds that v1 did not ship. A gate that an installation has keeps its
-- threshold; `added_by` marks ours, so that undoing this leaves theirs alone.
INSERT INTO public.quality_gates (gate_name, gate_type, threshold_value, description, metadata)
VALUES
    ('media_contract_minimum', 'contract', 1.0,
     'Kind, size, frame count and fps are as asked, and no frame is black or unreadable', '{"added_by": "0004_gates"}'),
    ('animatic_flicker_minimum', 'temporal', 0.90,
     'Steadiness of brightness from frame to frame in an animatic, 0 to 1', '{"added_by": "0004_gates"}'),
    ('motion_smoothness_minimum', 'temporal', 0.95,
     'How well each frame follows from its neighbours, 0 to 1', '{"added_by": "0004_gates"}'),
    ('dynamic_degree_minimum', 'temporal', 0.0002,
     'Motion in parts of the frame diagonal per frame; below it the film stands still', '{"added_by": "0004_gates"}'),
    ('generation_seconds_maximum', 'performance', 20,
     'GPU seconds that a still may take', '{"added_by": "0004_gates"}'),
    ('reproducible_minimum', 'reproducibility', 1,
     'Rendering the recipe again gave the same pixels; asked of a sample of takes', '{"added_by": "0004_gates"}'),
    ('temporal_lpips_maximum', 'temporal', 0.15,
     'Perceptual distance between neighbouring frames', '{"added_by": "0004_gates"}'),
    ('loop_closure_maximum', 'temporal', 0.15,
     'Perceptual distance from a loop''s last frame to its first', '{"added_by": "0004_gates"}'),
    ('subject_consistency_minimum', 'identity', 0.90,
     'Likeness of the subject from frame to frame', '{"added_by": "0004_gates"}'),
    ('phase_pass_rate_minimum', 'phase', 0.80,
     'Share of a scope''s cuts that must pass every metric of a phase', '{"added_by": "0004_gates"}'),
    ('phase_cuts_minimum', 'phase', 5,
     'Cuts that a scope needs before its pass rate says anything', '{"added_by": "0004_gates"}')
ON CONFLICT (gate_name) DO NOTHING;

INSERT INTO studio.phase_metrics (phase, metric_name, gate_name, comparison, cut_kinds)
VALUES
    ('phase_0_animatic', 'media_contract', 'media_contract_minimum', 'at_least', '{still,loop,video}'),
    ('phase_0_animatic', 'temporal_flicker', 'animatic_flicker_minimum', 'at_least', '{loop,video}'),
    ('phase_0_animatic', 'motion_smoothness', 'motion_smoothness_minimum', 'at_least', '{loop,video}'),
    ('phase_0_animatic', 'dynamic_degree', 'dynamic_degree_minimum', 'at_least', '{loop,video}'),
    ('phase_0_animatic', 'palette_adherence', NULL, 'reported', '{still,loop,video}'),

    ('phase_1_still', 'media_contract', 'media_contract_minimum', 'at_least', '{still}'),
    ('phase_1_still', 'face_similarity', 'face_similarity_minimum', 'at_least', '{still}'),
    ('phase_1_still', 'aesthetic', 'aesthetic_score_minimum', 'at_least', '{still}'),
    ('phase_1_still', 'style_adherence', 'style_clip_minimum', 'at_least', '{still}'),
    ('phase_1_still', 'generation_seconds', 'generation_seconds_maximum', 'at_most', '{still}'),
    ('phase_1_still', 'reproducible', 'reproducible_minimum', 'at_least', '{still}'),
    ('phase_1_still', 'palette_adherence', NULL, 'reported', '{still}'),

    ('phase_2_loop', 'media_contract', 'media_contract_minimum', 'at_least', '{loop}'),
    ('phase_2_loop', 'temporal_lpips', 'temporal_lpips_maximum', 'at_most', '{loop}'),
    ('phase_2_loop', 'loop_closure', 'loop_closure_maximum', 'at_most', '{loop}'),
    ('phase_2_loop', 'motion_smoothness', 'motion_smoothness_minimum', 'at_least', '{loop}'),
    ('phase_2_loop', 'dynamic_degree', 'dynamic_degree_minimum', 'at_least', '{loop}'),
    ('phase_2_loop', 'temporal_flicker', NULL, 'reported', '{loop}'),

    ('phase_3_video', 'media_contract', 'media_contract_minimum', 'at_least', '{video}'),
    ('phase_3_video', 'temporal_lpips', 'temporal_lpips_maximum', 'at_most', '{video}'),
    ('phase_3_video', 'motion_smoothness', 'motion_smoothness_minimum', 'at_least', '{video}'),
    ('phase_3_video', 'subject_consistency', 'subject_consistency_minimum', 'at_least', '{video}'),
    ('phase_3_video', 'style_adherence', 'style_clip_minimum', 'at_least', '{video}'),
    ('phase_3_video', 'face_similarity', 'face_similarity_minimum', 'at_least', '{video}'),
    ('phase_3_video', 'dynamic_degree', 'dynamic_degree_minimum', 'at_least', '{video}'),
    ('phase_3_video', 'temporal_flicker', NULL, 'reported', '{video}');
