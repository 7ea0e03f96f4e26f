-- The last frame of a take, kept as a picture where the cut after it begins with it.
ALTER TABLE studio.takes ADD COLUMN last_frame_sha256 CHAR(64) REFERENCES studio.media_files (sha256);
