-- Refuses while there is a row besides the default project, or a value in the columns given to characters.
DO $$
DECLARE
    held TEXT;
    filled BOOLEAN;
BEGIN
    FOREACH held IN ARRAY ARRAY[
        'jobs', 'character_attributes', 'character_variations', 'generation_params', 'quality_scores',
        'story_bibles', 'episodes', 'scenes', 'cuts', 'scene_characters', 'render_queue']
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', held) INTO filled;
        IF filled THEN
            RAISE EXCEPTION 'table % holds rows, which undoing 0002_v2 would delete', held
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM public.projects WHERE name <> 'Default Anime Project') THEN
        RAISE EXCEPTION 'table projects holds projects of your own, which undoing 0002_v2 would delete'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (
        SELECT FROM public.characters
        WHERE num_nonnulls(reference_embedding, color_palette, base_prompt, negative_tokens, lora_model_path) > 0
    ) THEN
        RAISE EXCEPTION 'table characters holds values in columns that undoing 0002_v2 would drop'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END;
$$;

-- Unlinking a character changes nothing about it: the triggers of characters, which would change updated_at, rest meanwhile.
DO $$
DECLARE
    resting TEXT[] := ARRAY(
        SELECT format('%s TRIGGER %I', CASE tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA'
                      ELSE 'ENABLE' END, tgname)
        FROM pg_trigger WHERE tgrelid = 'public.characters'::regclass AND NOT tgisinternal AND tgenabled <> 'D');
    waking TEXT;
BEGIN
    ALTER TABLE public.characters DISABLE TRIGGER USER;
    UPDATE public.characters
    SET project_id = NULL
    WHERE project_id = (SELECT id FROM public.projects WHERE name = 'Default Anime Project');
    FOREACH waking IN ARRAY resting LOOP
        EXECUTE 'ALTER TABLE public.characters ' || waking;
    END LOOP;
END;
$$;
ALTER TABLE public.characters
    DROP COLUMN reference_embedding,
    DROP COLUMN color_palette,
    DROP COLUMN base_prompt,
    DROP COLUMN negative_tokens,
    DROP COLUMN lora_model_path;

DROP TABLE public.render_queue, public.scene_characters, public.quality_scores, public.generation_params,
    public.character_variations, public.character_attributes, public.jobs, public.cuts, public.scenes,
    public.episodes, public.story_bibles, public.projects;
