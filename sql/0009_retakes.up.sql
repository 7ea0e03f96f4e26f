-- Retakes: what a take is beyond its cut's story, who asked for which further take and why, and how much a cut may
-- spend on takes that nobody asked for. The budgets hold here, whatever the code above does.

-- What a take is beyond its cut's story (number, weight of the anchor, smoother settings), so that its recipe can
-- be composed again and compared. `story_hash` is the recipe that the cut's first variant had when the take was
-- planned: takes with the same one tell the same story.
ALTER TABLE studio.takes
    ADD COLUMN variant JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN story_hash CHAR(64);
-- Takes of one story have equal ingredients, and were numbered as they came.
UPDATE studio.takes t
SET variant = CASE WHEN n.number = 1 THEN '{}' ELSE jsonb_build_object('number', n.number) END,
    story_hash = n.story_hash
FROM (
    SELECT f.cut_id, f.ingredients, f.recipe_hash,
           row_number() OVER story AS number, first_value(f.recipe_hash) OVER story AS story_hash
    FROM (
        SELECT cut_id, ingredients, recipe_hash, min(take_number) AS first
        FROM studio.takes GROUP BY cut_id, ingredients, recipe_hash
    ) f
    WINDOW story AS (PARTITION BY f.cut_id, f.ingredients ORDER BY f.first)
) n
WHERE t.cut_id = n.cut_id AND t.ingredients = n.ingredients AND t.recipe_hash = n.recipe_hash;
CREATE INDEX takes_story ON studio.takes (cut_id, story_hash);

-- How seeds are chosen, and what may be spent: {"attempts": …, "gpu_seconds": …, "retakes": …}, unset: the default.
-- A cut's own policy and budget are in its spec. `drawn_seed` is drawn once for a cut and kept: policy random.
ALTER TABLE studio.project_profiles
    ADD COLUMN seed_policy VARCHAR(10) NOT NULL DEFAULT 'derived'
        CHECK (seed_policy IN ('derived', 'sequential', 'random', 'fixed')),
    ADD COLUMN budget JSONB NOT NULL DEFAULT '{}';
ALTER TABLE studio.cut_profiles ADD COLUMN drawn_seed BIGINT NOT NULL
    DEFAULT floor(random() * 9007199254740992::double precision)::bigint;

CREATE TABLE studio.retakes (
    id              SERIAL PRIMARY KEY,
    cut_id          INTEGER NOT NULL REFERENCES public.cuts (id) ON DELETE CASCADE,
    automatic       BOOLEAN NOT NULL,
    asked_by        VARCHAR(100),
    note            TEXT NOT NULL DEFAULT '',
    changes         JSONB NOT NULL DEFAULT '{}',
    cause           VARCHAR(20),
    strategy        VARCHAR(30),
    reason          TEXT NOT NULL DEFAULT '',
    story_hash      CHAR(64) NOT NULL,
    retaken_job_id  INTEGER REFERENCES studio.takes (job_id) ON DELETE SET NULL,
    answered_by_job_id INTEGER REFERENCES studio.takes (job_id) ON DELETE SET NULL,
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    withdrawn_at    TIMESTAMP,
    CONSTRAINT retakes_automatic_has_a_strategy
        CHECK (automatic = (cause IS NOT NULL) AND automatic = (strategy IS NOT NULL)),
    CONSTRAINT retakes_only_a_person_directs CHECK (NOT automatic OR changes = '{}')
);
CREATE INDEX retakes_cut ON studio.retakes (cut_id, story_hash);
CREATE INDEX retakes_answer ON studio.retakes (answered_by_job_id);
CREATE INDEX retakes_retaken ON studio.retakes (retaken_job_id);

-- Cuts that a person must look at: no further take of this story is planned for them without being asked for.
CREATE TABLE studio.cut_reviews (
    cut_id          INTEGER NOT NULL REFERENCES public.cuts (id) ON DELETE CASCADE,
    story_hash      CHAR(64) NOT NULL,
    reason          TEXT NOT NULL,
    tried           JSONB NOT NULL DEFAULT '[]',
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (cut_id, story_hash)
);

-- What a cut may spend: attempts at one take, then for each story that it tells automatic retakes and GPU seconds.
CREATE FUNCTION studio.budget_of(
    asked_cut INTEGER, OUT attempts INTEGER, OUT gpu_seconds DOUBLE PRECISION, OUT retakes INTEGER
) LANGUAGE sql STABLE AS $$
    SELECT COALESCE((c.spec #>> '{budget,attempts}')::integer, (p.budget ->> 'attempts')::integer, 3),
           COALESCE((c.spec #>> '{budget,gpu_seconds}')::double precision,
                    (p.budget ->> 'gpu_seconds')::double precision, 3600),
           COALESCE((c.spec #>> '{budget,retakes}')::integer, (p.budget ->> 'retakes')::integer, 3)
    FROM studio.cut_profiles c JOIN studio.project_profiles p USING (project_id) WHERE c.cut_id = asked_cut
$$;

CREATE FUNCTION studio.gpu_seconds_spent(asked_cut INTEGER, asked_story CHAR) RETURNS DOUBLE PRECISION
LANGUAGE sql STABLE AS $$
    SELECT COALESCE(sum(a.gpu_seconds), 0)
    FROM studio.takes t JOIN studio.render_attempts a USING (job_id)
    WHERE t.cut_id = asked_cut AND t.story_hash = asked_story AND t.reproduces_job_id IS NULL
$$;

CREATE FUNCTION studio.check_retake_budget() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed RECORD;
    spent DOUBLE PRECISION;
BEGIN
    -- Whoever comes second waits here, and then counts what the first has spent.
    PERFORM FROM studio.cut_profiles WHERE cut_id = NEW.cut_id FOR NO KEY UPDATE;
    SELECT * INTO allowed FROM studio.budget_of(NEW.cut_id);
    SELECT count(*) INTO spent FROM studio.retakes
    WHERE cut_id = NEW.cut_id AND story_hash = NEW.story_hash AND automatic;
    IF spent >= allowed.retakes THEN
        RAISE EXCEPTION 'cut % has had its % automatic retakes', NEW.cut_id, allowed.retakes
            USING ERRCODE = 'check_violation', CONSTRAINT = 'retakes_within_budget';
    END IF;
    spent := studio.gpu_seconds_spent(NEW.cut_id, NEW.story_hash);
    IF spent >= allowed.gpu_seconds THEN
        RAISE EXCEPTION 'cut % has spent % of its % GPU seconds', NEW.cut_id, spent, allowed.gpu_seconds
            USING ERRCODE = 'check_violation', CONSTRAINT = 'retakes_within_gpu_seconds';
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER retakes_within_budget BEFORE INSERT ON studio.retakes
FOR EACH ROW WHEN (NEW.automatic) EXECUTE FUNCTION studio.check_retake_budget();

CREATE FUNCTION studio.refuse_change_of_retake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'retake % is counted as it was asked for', OLD.id USING ERRCODE = 'check_violation';
END;
$$;
CREATE TRIGGER retakes_stay_counted BEFORE UPDATE OF cut_id, automatic, story_hash, changes ON studio.retakes
FOR EACH ROW WHEN (
    (OLD.cut_id, OLD.automatic, OLD.story_hash, OLD.changes)
    IS DISTINCT FROM (NEW.cut_id, NEW.automatic, NEW.story_hash, NEW.changes)
) EXECUTE FUNCTION studio.refuse_change_of_retake();

-- A take that its story doesn't ask for answers a retake, which is counted; looked at when all is written.
CREATE FUNCTION studio.check_take_is_asked_for() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted INTEGER;
BEGIN
    SELECT takes_wanted INTO wanted FROM studio.cut_profiles WHERE cut_id = NEW.cut_id;
    IF (NEW.variant - 'number' <> '{}' OR COALESCE((NEW.variant ->> 'number')::integer, 1) > wanted)
       AND NOT EXISTS (SELECT FROM studio.retakes WHERE answered_by_job_id = NEW.job_id) THEN
        RAISE EXCEPTION 'take % of cut % answers no retake, and the cut wants % takes',
            NEW.take_number, NEW.cut_id, wanted
            USING ERRCODE = 'check_violation', CONSTRAINT = 'takes_are_asked_for';
    END IF;
    RETURN NULL;
END;
$$;
CREATE CONSTRAINT TRIGGER takes_are_asked_for AFTER INSERT ON studio.takes DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.reproduces_job_id IS NULL AND NEW.variant <> '{}')
EXECUTE FUNCTION studio.check_take_is_asked_for();

-- No attempt begins at a take that has had its attempts, nor, for an automatic retake, past the cut's budget.
CREATE FUNCTION studio.check_attempt_budget() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    item RECORD;
    asked RECORD;
    allowed RECORD;
BEGIN
    SELECT attempts, max_attempts INTO item FROM public.render_queue WHERE id = NEW.queue_id;
    IF item.attempts >= item.max_attempts THEN
        RAISE EXCEPTION 'take % has had its % attempts', NEW.job_id, item.max_attempts
            USING ERRCODE = 'check_violation', CONSTRAINT = 'attempts_within_budget';
    END IF;
    SELECT cut_id, story_hash INTO asked FROM studio.retakes
    WHERE answered_by_job_id = NEW.job_id AND automatic LIMIT 1;
    IF FOUND THEN
        SELECT * INTO allowed FROM studio.budget_of(asked.cut_id);
        IF (SELECT count(*) FROM studio.render_attempts WHERE job_id = NEW.job_id AND outcome = 'failed')
           >= allowed.attempts THEN
            RAISE EXCEPTION 'retake % has had its % attempts', NEW.job_id, allowed.attempts
                USING ERRCODE = 'check_violation', CONSTRAINT = 'attempts_within_budget';
        END IF;
        IF studio.gpu_seconds_spent(asked.cut_id, asked.story_hash) >= allowed.gpu_seconds THEN
            RAISE EXCEPTION 'the cut of take % has spent its % GPU seconds', NEW.job_id, allowed.gpu_seconds
                USING ERRCODE = 'check_violation', CONSTRAINT = 'attempts_within_gpu_seconds';
        END IF;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER attempts_within_budget BEFORE INSERT ON studio.render_attempts
FOR EACH ROW WHEN (NEW.queue_id IS NOT NULL) EXECUTE FUNCTION studio.check_attempt_budget();
