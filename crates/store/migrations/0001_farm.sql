-- What a farm knows. Times are milliseconds since the Unix epoch.

-- A source package, built for one target (an architecture, or "all").
CREATE TABLE package (
    id              INTEGER PRIMARY KEY,
    suite           TEXT    NOT NULL,
    source          TEXT    NOT NULL,
    target          TEXT    NOT NULL,
    component       TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    -- The hash over all that goes into a build, as of the last plan; null if its build dependencies cannot be installed.
    inputs          TEXT,
    -- That of the build which the state is about, where the state is the end of one.
    settled_inputs  TEXT,
    -- A word of OBS, its reason in words, and since when.
    state           TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    class           TEXT,
    since           INTEGER NOT NULL,
    -- The rung on which it was last built, and the version that was.
    worked_rung     TEXT,
    worked_version  TEXT,
    -- Why no build of it is to be started.
    held            TEXT,
    prioritised     INTEGER NOT NULL DEFAULT 0,
    -- Whether the last plan of its suite has it.
    planned         INTEGER NOT NULL DEFAULT 1,
    UNIQUE (suite, source, target)
) STRICT;

CREATE INDEX package_by_state ON package (state);

-- From the start to the end of one rebuild.
CREATE TABLE run (
    id       INTEGER PRIMARY KEY,
    suite    TEXT    NOT NULL,
    started  INTEGER NOT NULL,
    -- What was known of jobs before the first event, as JSON.
    known    TEXT    NOT NULL,
    -- Null: it runs, or was killed.
    ended    INTEGER
) STRICT;

-- One build. Its folder in the farm's folder has its number.
CREATE TABLE build (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    package            INTEGER NOT NULL REFERENCES package,
    run                INTEGER NOT NULL REFERENCES run,
    version            TEXT    NOT NULL,
    inputs             TEXT,
    rung               TEXT    NOT NULL,
    machine            TEXT    NOT NULL,
    width              INTEGER NOT NULL,
    started            INTEGER NOT NULL,
    expected_ms        INTEGER NOT NULL,
    -- Null: it runs.
    ended              INTEGER,
    result             TEXT CHECK (result IN ('built', 'failed', 'unresolvable', 'transient', 'cancelled', 'lost')),
    class              TEXT,
    message            TEXT,
    -- What the class says about modes, for the rung that comes next.
    advice             TEXT,
    wall_ms            INTEGER,
    cpu_ms             INTEGER,
    peak_memory_bytes  INTEGER,
    -- Whether what is tried next does not depend on it any more.
    settled            INTEGER NOT NULL DEFAULT 0,
    CHECK ((ended IS NULL) = (result IS NULL))
) STRICT;

CREATE INDEX build_by_package ON build (package, id);
CREATE INDEX build_that_runs ON build (ended) WHERE ended IS NULL;

-- What people asked for while a rebuild ran, or before it.
CREATE TABLE request (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT    NOT NULL CHECK (kind IN ('give-back', 'hold', 'release', 'prioritise')),
    source  TEXT    NOT NULL,
    -- Null: all of them.
    target  TEXT,
    why     TEXT    NOT NULL,
    asked   INTEGER NOT NULL,
    done    INTEGER
) STRICT;

CREATE INDEX request_to_do ON request (done) WHERE done IS NULL;

-- Everything that the scheduler was told, as JSON: one that knows what the run knew and is told this again, in this order,
-- comes to the same state.
CREATE TABLE event (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    run     INTEGER NOT NULL REFERENCES run,
    moment  INTEGER NOT NULL,
    event   TEXT    NOT NULL
) STRICT;

CREATE INDEX event_by_run ON event (run, id);
