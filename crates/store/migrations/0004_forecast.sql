-- When a rebuild that runs is predicted to end; null: nothing was predicted.
ALTER TABLE run ADD COLUMN forecast_at INTEGER;
ALTER TABLE run ADD COLUMN expected_end INTEGER;
-- Bounds that hold four times out of five; null: too few builds have ended to tell.
ALTER TABLE run ADD COLUMN earliest_end INTEGER;
ALTER TABLE run ADD COLUMN latest_end INTEGER;
