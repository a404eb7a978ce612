-- What builds left. The files themselves are in the folder "blobs", by what is in them.
CREATE TABLE file (
    build      INTEGER NOT NULL REFERENCES build,
    -- As the build named it, without a folder; "output" is what it said on standard output and error.
    name       TEXT    NOT NULL,
    sha256     TEXT    NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (build, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_sha256 ON file (sha256);
