-- The fleet: render servers that workers on any machine share, with what each can do and whether it may be used.
-- A row from ANIME_COMFYUI_URLS (origin settings) is kept by the workers that name it; `seen_at` tells the last.
CREATE TABLE studio.render_servers (
    url             TEXT PRIMARY KEY,
    origin          VARCHAR(20) NOT NULL CHECK (origin IN ('settings', 'added')),
    state           VARCHAR(20) NOT NULL DEFAULT 'active'
                    CHECK (state IN ('active', 'draining', 'paused', 'blocked')),
    concurrency     INTEGER CHECK (concurrency BETWEEN 1 AND 8),
    kind            VARCHAR(20) CHECK (kind IN ('preview', 'comfyui')),
    version         TEXT,
    devices         JSONB NOT NULL DEFAULT '[]',
    vram_total      BIGINT,
    vram_free       BIGINT,
    node_classes    TEXT[] NOT NULL DEFAULT '{}',
    models          JSONB NOT NULL DEFAULT '{}',
    loaded_models   JSONB NOT NULL DEFAULT '{}',
    failures        INTEGER NOT NULL DEFAULT 0,
    blocks          INTEGER NOT NULL DEFAULT 0,
    probe_after     TIMESTAMPTZ,
    suspect         BOOLEAN NOT NULL DEFAULT FALSE,
    last_error      TEXT,
    seen_at         TIMESTAMPTZ,
    added_at        TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- Which leases a server holds is asked at every lease, so that workers together keep to its concurrency.
CREATE INDEX render_leases_server ON studio.render_leases (server_url);
