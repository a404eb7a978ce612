-- The suites that are rebuilt after this one by the same command, with spaces between.
ALTER TABLE run ADD COLUMN later TEXT NOT NULL DEFAULT '';
-- Whether an accelerated build had no twin of its compiler, because none had been made yet: what it took tells nothing of others.
ALTER TABLE build ADD COLUMN compiler_emulated INTEGER NOT NULL DEFAULT 0;
