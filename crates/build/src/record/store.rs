//! Reading and writing build records.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{BuildRecord, FORMAT_VERSION};

/// The name of a build record among the results of its build.
pub const FILE: &str = "build-record.json";

/// A build record that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system.
    #[error("cannot {action} the build record {path}: {source}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No build record at all, or one with a field missing.
    #[error("{name} is not a build record of archmill: {source}")]
    Malformed {
        /// Where the text came from.
        name: String,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// A name or a hash that would lead somewhere else.
    #[error("{name} is not as archmill wrote it: {what}; it was edited or damaged")]
    Edited {
        /// Where the text came from.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// Written by a later archmill.
    #[error(
        "{name} is a build record of format version {found}, and this archmill reads up to {FORMAT_VERSION}; \
         use the archmill that wrote it or a later one"
    )]
    TooNew {
        /// Where the text came from.
        name: String,
        /// Its version.
        found: u32,
    },
}

/// Parses a build record; `name` is for messages.
pub fn parse(text: &str, name: &str) -> Result<BuildRecord, RecordError> {
    /// What every version has.
    #[derive(Deserialize)]
    struct Versioned {
        format_version: u32,
    }
    let malformed = |source| RecordError::Malformed { name: name.to_owned(), source };
    let Versioned { format_version } = serde_json::from_str(text).map_err(malformed)?;
    if format_version > FORMAT_VERSION {
        return Err(RecordError::TooNew { name: name.to_owned(), found: format_version });
    }
    let edited = |what| RecordError::Edited { name: name.to_owned(), what };
    check_hashes(&serde_json::from_str(text).map_err(malformed)?).map_err(edited)?;
    let record: BuildRecord = serde_json::from_str(text).map_err(malformed)?;
    if let Some(source) = &record.inputs.source {
        let mut files = source.dsc.iter().chain(&source.files);
        if let Some(file) = files.find(|file| !archmill_deb::is_plain_name(&file.name)) {
            return Err(edited(format!("{:?} is not the name of a file of a source package", file.name)));
        }
    }
    Ok(record)
}

/// Hashes are names of files in the cache.
fn check_hashes(value: &serde_json::Value) -> Result<(), String> {
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match value {
        serde_json::Value::Object(fields) => fields.iter().try_for_each(|(key, value)| match value {
            serde_json::Value::String(text) if key == "sha256" && !is_hash(text) => {
                Err(format!("{text:?} is not a SHA-256"))
            }
            value => check_hashes(value),
        }),
        serde_json::Value::Array(values) => values.iter().try_for_each(check_hashes),
        _ => Ok(()),
    }
}

/// Reads the build record in `path`.
pub fn read(path: &Path) -> Result<BuildRecord, RecordError> {
    let text = fs::read_to_string(path).map_err(|source| RecordError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    parse(&text, &path.display().to_string())
}

/// Writes a build record to `path`. It is there whole or not at all, also after a crash.
pub fn write(record: &BuildRecord, path: &Path) -> Result<(), RecordError> {
    let io = |source| RecordError::Io { action: "write", path: path.to_owned(), source };
    let mut text =
        serde_json::to_vec_pretty(record).map_err(|error| io(io::Error::other(error.to_string())))?;
    text.push(b'\n');
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let unfinished = PathBuf::from(name);
    let written = fs::File::create(&unfinished)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&unfinished);
        io(error)
    })
}
