ALTER TABLE studio.takes DROP COLUMN variant;
