-- The farm's own archive, where builds are made against their own results.

-- What the archive was given of a package. The last one is what it has.
CREATE TABLE publication (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    package      INTEGER NOT NULL REFERENCES package,
    build        INTEGER NOT NULL REFERENCES build,
    -- The version of the source, with +bN where it was rebuilt without a change of that.
    version      TEXT    NOT NULL,
    -- Of what is in the packages, the number of a rebuild aside.
    fingerprint  TEXT    NOT NULL,
    -- As its indices have them; empty once another one came after.
    stanzas      TEXT    NOT NULL,
    published    INTEGER NOT NULL
) STRICT;

CREATE INDEX publication_by_package ON publication (package, id);
