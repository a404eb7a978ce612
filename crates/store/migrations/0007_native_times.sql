-- The times of native builds elsewhere that a rebuild was predicted from, as JSON: those of the table may be replaced later.
ALTER TABLE run ADD COLUMN native TEXT NOT NULL DEFAULT '[]';
