//! The compiler that the target has: looked up in the suite's index, and read from its package for plugins.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use archmill_archive::{Expected, OpenedSuite, PoolFile};
use archmill_deb::control::stanzas;
use archmill_deb::deb::{DebError, DebReader};
use archmill_deb::members::Bounds;
use archmill_deb::{BinaryRecord, Version};
use archmill_emulate::Architecture;

use super::arguments::Arguments;
use super::error::ToolchainError;
use super::inputs::Headers;
use crate::classify::Phase;
use crate::job::{JobError, Session};

/// Most that one header may have; auto-host.h has 70 KiB.
const HEADER_LIMIT: u64 = 4 << 20;

/// The target's own compiler.
#[derive(Debug, Clone)]
pub struct Target {
    /// Source package.
    pub source: String,
    /// Its version.
    pub version: String,
    /// Whose compiler it is.
    pub arch: &'static Architecture,
    /// The package that says how it was configured.
    pub headers: Headers,
    pub(super) arguments: Arguments,
    pub(super) said: Said,
}

/// What the headers for plugins say.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// configargs.h.
    pub(super) configargs: String,
    /// auto-host.h.
    pub(super) auto_host: String,
    /// The folder below lib/gcc/<triplet>: a version, or the first number of one.
    pub(super) version_folder: String,
}

/// Where a package is.
struct Found {
    version: Version,
    source_version: String,
    file: PoolFile,
}

impl Target {
    /// Finds the compiler of source package `source` for `arch` in a suite: the newest, or that of a given version.
    pub fn get(
        session: &Session<'_>,
        suite: &str,
        arch: &'static Architecture,
        source: &str,
        version: Option<&str>,
    ) -> Result<Self, ToolchainError> {
        let package = format!("{source}-plugin-dev");
        session.step(&format!("looking for {package} of {} in {suite}", arch.debian));
        let suites = open(session, suite, arch)?;
        let mut best: Option<Found> = None;
        for opened in &suites {
            for index in &opened.packages {
                let text = fs::read_to_string(&index.path).map_err(at("read", &index.path))?;
                for found in search(&text, &package, source, &opened.spec.uri) {
                    let fits = version.is_none_or(|version| version == found.source_version);
                    if fits && best.as_ref().is_none_or(|best| found.version > best.version) {
                        best = Some(found);
                    }
                }
            }
        }
        let found = best.ok_or_else(|| ToolchainError::NoHeaders {
            package: package.clone(),
            source_package: source.to_owned(),
            version: version.map(str::to_owned),
            arch: arch.debian.to_owned(),
            suite: suite.to_owned(),
        })?;
        let files = [found.file];
        let debs = session
            .fetch("downloading the compiler's headers", &files, 1)
            .map_err(|error| JobError::new(Phase::FetchPackages, error))?;
        let malformed = |problem| ToolchainError::Headers { package: package.clone(), problem };
        let said = debs.first().map_or_else(|| Ok(Said::default()), |deb| read(deb)).map_err(malformed)?;
        let arguments = Arguments::of_header(&said.configargs).map_err(malformed)?;
        let [file] = files;
        let headers = Headers {
            package: package.clone(),
            version: found.version.to_string(),
            sha256: file.expected.sha256,
        };
        Ok(Self { source: source.to_owned(), version: found.source_version, arch, headers, arguments, said })
    }

    /// GNU triplet, as the compiler was configured.
    pub fn triplet(&self) -> &str {
        self.arguments.value("target").unwrap_or(self.arch.triplet)
    }
}

fn open(session: &Session<'_>, suite: &str, arch: &Architecture) -> Result<Vec<OpenedSuite>, ToolchainError> {
    let during = |error: &dyn std::fmt::Display| JobError::new(Phase::Indexes, error);
    let setup = &session.setup;
    let specs = setup.repositories(suite).map_err(|error| during(&error))?;
    let archives = session.archives()?;
    let mut suites = Vec::new();
    for spec in &specs {
        session.check_cancelled(Phase::Indexes)?;
        let opened = archives.open(spec, arch.debian, false, &session.progress());
        suites.push(opened.map_err(|error| during(&error))?);
    }
    Ok(suites)
}

/// The packages `name` of an index that were built from `source`. Only their stanzas are read.
fn search(text: &str, name: &str, source: &str, uri: &str) -> Vec<Found> {
    let line = format!("Package: {name}\n");
    let at_start = |at: &usize| *at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n');
    let stanza = |at: usize| stanzas(&text[at..]).next()?.ok();
    text.match_indices(&line)
        .filter(|(at, _)| at_start(at))
        .filter_map(|(at, _)| {
            let record = BinaryRecord::new(stanza(at)?).ok()?;
            let (of, source_version) = record.source();
            let expected = Expected { sha256: record.sha256()?.to_owned(), size: record.size()? };
            let file = PoolFile { url: format!("{uri}/{}", record.filename()?), expected };
            let found =
                Found { version: record.version().ok()?, source_version: source_version.to_owned(), file };
            (of == source).then_some(found)
        })
        .collect()
}

/// The headers out of the package; nothing of it is unpacked.
fn read(deb: &Path) -> Result<Said, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let file = fs::File::open(deb).map_err(|error| text(&error))?;
    let reader = DebReader::new(io::BufReader::new(file)).map_err(|error| text(&error))?;
    let mut said = Said::default();
    let read = reader.each_member(Bounds::default(), |member| {
        let header = match member.path.file_name().and_then(|name| name.to_str()) {
            Some("configargs.h") => &mut said.configargs,
            Some("auto-host.h") => &mut said.auto_host,
            _ => return Ok(()),
        };
        // .../gcc/<triplet>/<version>/plugin/include/<header>
        let folder = member.path.ancestors().nth(3).and_then(Path::file_name);
        said.version_folder = folder.unwrap_or_default().to_string_lossy().into_owned();
        member.content.take(HEADER_LIMIT).read_to_string(header)?;
        Ok::<(), DebError>(())
    });
    read.map_err(|error| text(&error))?;
    if said.configargs.is_empty() || said.auto_host.is_empty() || said.version_folder.is_empty() {
        return Err("it has no configargs.h and auto-host.h".to_owned());
    }
    Ok(said)
}

pub(super) fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ToolchainError {
    let path = path.to_owned();
    move |source| ToolchainError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_of_the_very_source_are_found() {
        let stanza = |name: &str, version: &str, source: &str| {
            format!(
                "Package: {name}\nSource: {source}\nVersion: {version}\nArchitecture: arm64\nFilename: pool/{name}.deb\nSize: 1\nSHA256: {}\n\n",
                "0".repeat(64)
            )
        };
        let text = stanza("gcc-12-plugin-dev", "12.2.0-14+b1", "gcc-12 (12.2.0-14)")
            + &stanza("gcc-12-plugin-dev", "12.2.0-14cross1", "gcc-12-cross")
            + &stanza("xgcc-12-plugin-dev", "1", "gcc-12");
        let found = search(&text, "gcc-12-plugin-dev", "gcc-12", "http://archive");
        let [found] = &found[..] else { panic!("{}", found.len()) };
        assert_eq!(found.source_version, "12.2.0-14");
        assert_eq!(found.version.to_string(), "12.2.0-14+b1");
        assert_eq!(found.file.url, "http://archive/pool/gcc-12-plugin-dev.deb");
    }
}
