-- What composing a cut's wanted recipes came to, so that a question about ten thousand cuts composes only those
-- whose story has changed. A memory, never an authority: a row counts only while `told_sha256` (every row that
-- the cut is read from), the composing code, the template, its first frame and its pictures are the same.
CREATE TABLE studio.composed_cuts (
    cut_id          INTEGER PRIMARY KEY REFERENCES public.cuts (id) ON DELETE CASCADE,
    told_sha256     CHAR(64) NOT NULL,
    composer_sha256 CHAR(64) NOT NULL,
    template_name   VARCHAR(100) NOT NULL,
    template_sha256 CHAR(64) NOT NULL,
    first_frame_sha256 CHAR(64),
    pictures        TEXT[] NOT NULL DEFAULT '{}',
    recipe_hashes   TEXT[] NOT NULL
);
