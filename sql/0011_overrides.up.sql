-- A person may answer for a gate that has not passed; and who moved a threshold, when, from what to what.

-- Which takes and measurements a verdict judged, by cut, so that a stale one can say what has changed since.
ALTER TABLE studio.gate_verdicts ADD COLUMN judged_cuts JSONB NOT NULL DEFAULT '{}';

-- A row says what it overrode by itself and has no foreign keys: the log outlives what it speaks of.
-- One that is not `standing` holds for exactly the state that was judged, and lapses when that changes.
CREATE TABLE studio.gate_overrides (
    id              SERIAL PRIMARY KEY,
    scope_key       VARCHAR(120) NOT NULL,
    phase           VARCHAR(30) NOT NULL,
    verdict_id      INTEGER NOT NULL,
    verdict         VARCHAR(12) NOT NULL CHECK (verdict IN ('failed', 'incomplete')),
    verdict_reason  TEXT NOT NULL,
    judged_sha256   CHAR(64) NOT NULL,
    standing        BOOLEAN NOT NULL DEFAULT FALSE,
    overridden_by   VARCHAR(120) NOT NULL CHECK (btrim(overridden_by) <> ''),
    reason          TEXT NOT NULL CHECK (btrim(reason) <> ''),
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    withdrawn_by    VARCHAR(120) CHECK (btrim(withdrawn_by) <> ''),
    withdrawn_reason TEXT CHECK (btrim(withdrawn_reason) <> ''),
    withdrawn_at    TIMESTAMP,
    CHECK ((withdrawn_by IS NULL) = (withdrawn_at IS NULL)),
    CHECK ((withdrawn_by IS NULL) = (withdrawn_reason IS NULL))
);
CREATE INDEX gate_overrides_scope ON studio.gate_overrides (scope_key, phase, id DESC);

-- `project` is a slug, null where the threshold of all projects was moved; a null `new_value` means that the
-- project has no threshold of its own any more.
CREATE TABLE studio.threshold_changes (
    id              SERIAL PRIMARY KEY,
    project         VARCHAR(63),
    gate_name       VARCHAR(255) NOT NULL,
    old_value       DOUBLE PRECISION,
    new_value       DOUBLE PRECISION,
    changed_by      VARCHAR(120) NOT NULL CHECK (btrim(changed_by) <> ''),
    reason          TEXT,
    created_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- The overrides that a film was built under: id, phase, by and reason of each; an empty list where all gates
-- had passed.
ALTER TABLE studio.deliveries ADD COLUMN overrides JSONB NOT NULL DEFAULT '[]';

-- Scopes are prefixes of cut keys, and a database's collation may not serve prefixes.
CREATE INDEX cut_profiles_key_prefix ON studio.cut_profiles (cut_key varchar_pattern_ops);

-- Verdicts of ten thousand cuts read a million measurements by index alone: each one's value, and a hash of
-- whatever else a verdict depends on.
ALTER TABLE studio.measurements ADD COLUMN provenance UUID NOT NULL GENERATED ALWAYS AS (md5(
    state || '|' || COALESCE(reason, '') || '|' || backend || '|' || backend_version || '|'
    || COALESCE(weights_sha256::text, '') || '|' || COALESCE((details -> 'calibration')::text, ''))::uuid) STORED;
ALTER TABLE studio.measurements DROP CONSTRAINT measurements_pkey,
    ADD CONSTRAINT measurements_pkey PRIMARY KEY (job_id, metric_name) INCLUDE (value, provenance);

-- Frozen means that nobody can, not that nobody does. A verdict goes only with the take or project it is of:
-- a foreign key's cascade is itself a trigger, so that the depth tells it from a plain DELETE.
CREATE FUNCTION studio.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_ARGV[0] = 'cascades' AND pg_trigger_depth() > 1 THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'studio.% is never changed: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'what is new is a new row';
END;
$$;

CREATE FUNCTION studio.refuse_change_but_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    undone studio.gate_overrides := NEW;
BEGIN
    undone.withdrawn_by := NULL;
    undone.withdrawn_reason := NULL;
    undone.withdrawn_at := NULL;
    IF OLD.withdrawn_at IS NOT NULL OR NEW.withdrawn_at IS NULL OR undone IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'studio.gate_overrides is never changed: an override can only be withdrawn, once'
            USING ERRCODE = 'restrict_violation', HINT = 'override the gate again';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER gate_verdicts_frozen BEFORE UPDATE OR DELETE ON studio.gate_verdicts
    FOR EACH ROW EXECUTE FUNCTION studio.refuse_change('cascades');
CREATE TRIGGER gate_overrides_kept BEFORE DELETE ON studio.gate_overrides
    FOR EACH ROW EXECUTE FUNCTION studio.refuse_change('never');
CREATE TRIGGER gate_overrides_withdrawn BEFORE UPDATE ON studio.gate_overrides
    FOR EACH ROW EXECUTE FUNCTION studio.refuse_change_but_withdrawal();
CREATE TRIGGER threshold_changes_kept BEFORE UPDATE OR DELETE ON studio.threshold_changes
    FOR EACH ROW EXECUTE FUNCTION studio.refuse_change('never');
CREATE TRIGGER gate_overrides_not_emptied BEFORE TRUNCATE ON studio.gate_overrides
    FOR EACH STATEMENT EXECUTE FUNCTION studio.refuse_change('never');
CREATE TRIGGER threshold_changes_not_emptied BEFORE TRUNCATE ON studio.threshold_changes
    FOR EACH STATEMENT EXECUTE FUNCTION studio.refuse_change('never');
