-- Loses nothing: the frame is the last one of the take's own film.
ALTER TABLE studio.takes DROP COLUMN last_frame_sha256;
