-- CPU time of dpkg-buildpackage alone: what is before it depends on what was in the cache. Null: it was before this was noted, or it
-- did not come to that.
ALTER TABLE build ADD COLUMN build_cpu_ms INTEGER;
