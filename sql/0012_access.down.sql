-- Refuses where keys were made or changes recorded: those would be lost.
DO $$
DECLARE
    held TEXT;
    filled BOOLEAN;
BEGIN
    FOREACH held IN ARRAY ARRAY['api_keys', 'audit_log']
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM studio.%I)', held) INTO filled;
        IF filled THEN
            RAISE EXCEPTION 'table studio.% holds rows, which undoing 0012_access would delete', held
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END LOOP;
END;
$$;

DROP TABLE studio.idempotent_answers, studio.audit_log, studio.api_keys;
DROP FUNCTION studio.refuse_audit_change();
