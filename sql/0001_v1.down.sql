-- Refuses while any of the 13 tables holds a row besides the four gates as shipped.
DO $$
DECLARE
    held TEXT;
    filled BOOLEAN;
BEGIN
    FOREACH held IN ARRAY ARRAY[
        'characters', 'character_anchors', 'face_embeddings', 'generation_consistency', 'style_consistency',
        'ipadapter_configs', 'stories', 'story_commits', 'story_branches', 'character_evolution',
        'user_interactions', 'user_preferences']
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', held) INTO filled;
        IF filled THEN
            RAISE EXCEPTION 'table % holds rows, which undoing 0001_v1 would delete', held
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END LOOP;
    IF EXISTS (
        SELECT FROM public.quality_gates WHERE (gate_name, threshold_value) NOT IN (
            ('face_similarity_minimum', 0.70), ('aesthetic_score_minimum', 5.5),
            ('style_clip_minimum', 0.85), ('overall_consistency_minimum', 0.75))
    ) THEN
        RAISE EXCEPTION 'table quality_gates holds thresholds of your own, which undoing 0001_v1 would delete'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END;
$$;

DROP TABLE public.user_preferences, public.user_interactions, public.character_evolution, public.story_branches,
    public.story_commits, public.stories, public.ipadapter_configs, public.style_consistency,
    public.quality_gates, public.generation_consistency, public.face_embeddings, public.character_anchors,
    public.characters;
DROP FUNCTION public.update_updated_at_column();
