-- Who may use the API, what they changed, and the answers that a repeated request gets again.
CREATE TABLE studio.api_keys (
    id SERIAL PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    role VARCHAR(20) NOT NULL CHECK (role IN ('viewer', 'artist', 'supervisor', 'admin')),
    prefix VARCHAR(20) NOT NULL,
    key_sha256 CHAR(64) NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    expires_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ
);
-- A name is free again when its key is revoked.
CREATE UNIQUE INDEX api_keys_name ON studio.api_keys (name) WHERE revoked_at IS NULL;

CREATE TABLE studio.audit_log (
    id BIGSERIAL PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    actor VARCHAR(100) NOT NULL,
    role VARCHAR(20) NOT NULL,
    key_id INTEGER REFERENCES studio.api_keys (id),
    request_id VARCHAR(64),
    action VARCHAR(100) NOT NULL,
    subject VARCHAR(50) NOT NULL,
    subject_id VARCHAR(255) NOT NULL,
    before JSONB,
    after JSONB
);
CREATE INDEX audit_log_at ON studio.audit_log (at);
CREATE INDEX audit_log_subject ON studio.audit_log (subject, subject_id);

CREATE FUNCTION studio.refuse_audit_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege';
END;
$$;
CREATE TRIGGER audit_log_is_only_added_to
    BEFORE UPDATE OR DELETE OR TRUNCATE ON studio.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION studio.refuse_audit_change();

CREATE TABLE studio.idempotent_answers (
    actor VARCHAR(100) NOT NULL,
    key VARCHAR(200) NOT NULL,
    request_sha256 CHAR(64) NOT NULL,
    status INTEGER,
    headers JSONB,
    body TEXT,
    created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (actor, key)
);
CREATE INDEX idempotent_answers_created_at ON studio.idempotent_answers (created_at);
