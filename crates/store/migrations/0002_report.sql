-- What a report is made of besides builds.

-- Processors of the host and slots of the farm in a rebuild; null: it was before this was noted.
ALTER TABLE run ADD COLUMN processors INTEGER;
ALTER TABLE run ADD COLUMN slots INTEGER;

-- Whether the last plan leaves out its tests.
ALTER TABLE package ADD COLUMN nocheck INTEGER NOT NULL DEFAULT 0;

-- What native builds took elsewhere.
CREATE TABLE native_time (
    source   TEXT    NOT NULL,
    target   TEXT    NOT NULL,
    -- Null: of any version.
    version  TEXT,
    wall_ms  INTEGER NOT NULL,
    -- Null where only the time that passed is known.
    cpu_ms   INTEGER,
    -- Where it is from.
    origin   TEXT    NOT NULL,
    UNIQUE (source, target, version)
) STRICT;
