//! From what a build made to what the farm's own archive has of it.

use std::path::{Path, PathBuf};

use archmill_archive::{Publisher, Unit};
use archmill_build::record;
use archmill_deb::control::stanzas;
use archmill_deb::deb::{DebError, DebReader};
use archmill_deb::members::{Bounds, Member};
use archmill_deb::without_binnmu;
use archmill_plan::JobId;
use archmill_plan::graph::Graph;
use archmill_plan::ladder::Advice;
use archmill_plan::rebuild::{DebContents, Fingerprint};
use archmill_plan::scheduler::{End, Failure};
use archmill_store::Published;
use sha2::{Digest as _, Sha256};

use crate::RESULTS;
use crate::owners::Owners;

/// What a build made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Results {
    /// Version of the source, with `+bN` where the packages have that.
    pub(crate) version: String,
    /// Of what is in the packages.
    pub(crate) fingerprint: String,
    /// For the indices; `None` where the archive has the same already, and keeps it.
    pub(crate) stanzas: Option<String>,
}

/// A build whose results are to be taken in.
#[derive(Clone, Debug)]
pub(crate) struct Taking {
    /// Its folder.
    pub(crate) build: PathBuf,
    /// The archive's folder.
    pub(crate) archive: PathBuf,
    /// What it is.
    pub(crate) place: Place,
    /// Version of the source.
    pub(crate) version: String,
    /// Fingerprint of what the archive has of it.
    pub(crate) before: Option<String>,
    /// Versions that the archive ever had of it.
    pub(crate) versions: Vec<String>,
    /// Whose packages are whose.
    pub(crate) owners: Owners,
}

/// Why results do not get into the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// They cannot be read, or not written there.
    Host(String),
    /// That version was published, with other contents.
    Published(String),
    /// They are in the name of another source.
    Foreign(String),
}

impl Trouble {
    /// What that means for the build.
    pub(crate) fn end(self) -> End {
        match self {
            Self::Host(why) => {
                End::Transient(format!("its results cannot be taken into the archive: {why}").into())
            }
            Self::Published(why) => {
                End::Failed(Failure { class: "published".into(), why: why.into() }, Advice::Stop)
            }
            Self::Foreign(why) => {
                End::Failed(Failure { class: "foreign-package".into(), why: why.into() }, Advice::Stop)
            }
        }
    }
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Host(why)
    }
}

/// Where the packages of a source for a target are in the archive.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) component: String,
    pub(crate) target: String,
    pub(crate) source: String,
}

impl Place {
    pub(crate) fn of(graph: &Graph, job: JobId) -> Self {
        let of = graph.job(job);
        let component = graph.components().get(of.component.index());
        Self {
            component: component.cloned().unwrap_or_default(),
            target: graph.target(of.target).to_string(),
            source: of.source.to_string(),
        }
    }

    pub(crate) fn unit(&self) -> Unit<'_> {
        Unit { component: &self.component, target: &self.target, source: &self.source }
    }
}

/// Puts what the store knows of an archive into it; what was replaced has no stanzas, and what is no longer planned no place.
pub fn fill(archive: &mut Publisher, published: Vec<Published>) {
    for row in published.into_iter().filter(|row| row.planned && !row.publication.stanzas.is_empty()) {
        let unit = Unit { component: &row.component, target: &row.target, source: &row.source };
        archive.put(unit, row.publication.stanzas);
    }
}

/// Reads the packages of a build, and puts them into the pool unless the archive has the same.
pub(crate) fn take(taking: &Taking) -> Result<Results, Trouble> {
    let folder = taking.build.join(RESULTS);
    let record = record::read(&folder.join(record::FILE)).map_err(|error| error.to_string())?;
    let packages: Vec<PathBuf> = record
        .artifacts
        .iter()
        .filter(|artifact| Path::new(&artifact.name).extension().is_some_and(|ending| ending == "deb"))
        .map(|artifact| folder.join(&artifact.name))
        .collect();
    let mut contents = Vec::new();
    for path in &packages {
        contents.push(contents_of(path).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    for package in &contents {
        is_own(package, taking).map_err(Trouble::Foreign)?;
    }
    let version = numbered(&taking.version, contents.iter().map(|package| field(package, "Version")));
    // What is only of use with a debugger changes no build.
    contents.retain(|package| !field(package, "Package").ends_with("-dbgsym"));
    let fingerprint = Fingerprint::of(&contents).to_string();
    let stanzas = if taking.before.as_ref() == Some(&fingerprint) {
        None
    } else if taking.versions.contains(&version) {
        let source = &taking.place.source;
        return Err(Trouble::Published(format!(
            "{source} {version} was published before and had other contents, so this cannot be published under that version"
        )));
    } else {
        let taken = Publisher::take(&taking.archive, taking.place.unit(), &packages);
        Some(taken.map_err(|error| error.to_string())?)
    };
    Ok(Results { version, fingerprint, stanzas })
}

/// Nothing in the archive may pass for what another source makes: builds would be given it in place of that.
fn is_own(package: &DebContents, taking: &Taking) -> Result<(), String> {
    let source = &taking.place.source;
    let name = field(package, "Package");
    let said = field(package, "Source").split(' ').next().filter(|said| !said.is_empty()).unwrap_or(name);
    if said != source {
        return Err(format!("its package {name} says that it is made by {said}, and {source} was built"));
    }
    match taking.owners.other(name, source) {
        Some(owner) => {
            Err(format!("it makes {name}, which the suite's {owner} makes, and does not declare it"))
        }
        None => Ok(()),
    }
}

/// The version of a source with the highest number of a rebuild that one of its packages has.
fn numbered<'v>(source: &str, packages: impl Iterator<Item = &'v str>) -> String {
    let number = |version: &str| {
        version.strip_prefix(without_binnmu(version))?.strip_prefix("+b")?.parse::<u32>().ok()
    };
    match packages.filter(|version| *version != source).filter_map(number).max() {
        Some(number) => format!("{source}+b{number}"),
        None => source.to_owned(),
    }
}

fn field<'d>(package: &'d DebContents, wanted: &str) -> &'d str {
    let found = package.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map_or("", |(_, value)| value.as_str())
}

/// What is in a package, but for what the build system adds about itself: checksums of files that are in it anyway.
fn contents_of(path: &Path) -> Result<DebContents, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut reader = DebReader::new(std::io::BufReader::new(file)).map_err(|error| error.to_string())?;
    let control = reader.control().map_err(|error| error.to_string())?;
    let mut contents = DebContents::default();
    let text = control.control_text().map_err(|error| error.to_string())?;
    if let Some(stanza) = stanzas(text).next() {
        let stanza = stanza.map_err(|error| error.to_string())?;
        let fields = stanza.fields();
        contents.fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    }
    for (name, (mode, content)) in &control.files {
        if name != "control" && name != "md5sums" {
            contents.files.push((
                format!("DEBIAN/{name}"),
                format!("{mode:o} {}", hex::encode(Sha256::digest(content))),
            ));
        }
    }
    reader
        .each_member(Bounds::default(), |mut member| {
            contents.files.push(digest(&mut member)?);
            Ok::<_, DebError>(())
        })
        .map_err(|error| error.to_string())?;
    Ok(contents)
}

/// Path and digest of a member: kind, mode, owner, link and content. Times say when it was built.
fn digest(member: &mut Member<'_>) -> Result<(String, String), DebError> {
    let mut sum = Sha256::new();
    let header = member.header;
    let number = |value: std::io::Result<u64>| value.unwrap_or_default();
    let facts = format!(
        "{:?} {:o} {} {} {:?} {:?}\n",
        header.entry_type(),
        header.mode().unwrap_or_default(),
        number(header.uid()),
        number(header.gid()),
        (header.device_major().ok().flatten(), header.device_minor().ok().flatten()),
        member.link,
    );
    sum.update(facts.as_bytes());
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = member.content.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        sum.update(&buffer[..read]);
    }
    Ok((member.path.to_string_lossy().into_owned(), hex::encode(sum.finalize())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A build that made one package with this in it.
    fn built(folder: &Path, content: &str, version: &str) {
        let tar = |name: &str, content: &str| {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            let mut builder = tar::Builder::new(Vec::new());
            builder.append_data(&mut header, name, content.as_bytes()).unwrap();
            builder.into_inner().unwrap()
        };
        let control = format!(
            "Package: p\nVersion: {version}\nArchitecture: arm64\nMaintainer: A <a@b>\nDescription: x\n"
        );
        let members = [
            ("debian-binary", b"2.0\n".to_vec()),
            ("control.tar", tar("./control", &control)),
            ("data.tar", tar("./usr/file", content)),
        ];
        let mut deb = b"!<arch>\n".to_vec();
        for (name, content) in members {
            let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len());
            deb.extend(header.into_bytes());
            deb.extend(&content);
        }
        let out = folder.join(RESULTS);
        std::fs::create_dir_all(&out).unwrap();
        std::fs::write(out.join("p_arm64.deb"), deb).unwrap();
        let record = r#"{
            "format_version": 1, "archmill_version": "0", "started": "2026-11-01T00:00:00Z", "finished": "2026-11-01T00:00:01Z",
            "request": {"source": "p", "suite": "s", "arch": "arm64", "mode": "emulated", "build_type": "any", "jobs": 1},
            "inputs": {"host": {"kernel": "", "arch": "", "cpu_model": "", "processors": 1, "accounting": ""}},
            "outcome": {"status": "successful"}, "artifacts": [{"name": "p_arm64.deb", "size_bytes": 1, "sha256": "HASH"}]
        }"#;
        std::fs::write(out.join("build-record.json"), record.replace("HASH", &"0".repeat(64))).unwrap();
    }

    #[test]
    fn the_same_is_not_published_again_and_a_version_never_changes() {
        let folder = tempfile::tempdir().unwrap();
        let taken = |content: &str, version: &str, before: Option<&str>, versions: &[&str]| {
            built(folder.path(), content, version);
            take(&Taking {
                build: folder.path().to_owned(),
                archive: folder.path().join("archive"),
                place: Place {
                    component: "main".to_owned(),
                    target: "arm64".to_owned(),
                    source: "p".to_owned(),
                },
                version: "1-1".to_owned(),
                before: before.map(str::to_owned),
                versions: versions.iter().map(|&version| version.to_owned()).collect(),
                owners: [("p", "p")].into_iter().collect(),
            })
        };
        let first = taken("one", "1-1", None, &[]).unwrap();
        assert_eq!(first.version, "1-1");
        assert!(first.stanzas.unwrap().contains("Filename: pool/main/p/p/p_arm64.deb"));
        let known = Some(first.fingerprint.as_str());
        let again = taken("one", "1-1+b1", known, &["1-1"]).unwrap();
        assert_eq!((again.stanzas, again.fingerprint.as_str()), (None, first.fingerprint.as_str()));
        let other = taken("two", "1-1+b1", known, &["1-1"]).unwrap();
        assert_eq!((other.version.as_str(), other.stanzas.is_some()), ("1-1+b1", true));
        let trouble = taken("three", "1-1", known, &["1-1", "1-1+b1"]).unwrap_err();
        let End::Failed(failure, Advice::Stop) = trouble.end() else { panic!() };
        assert_eq!(&*failure.class, "published");
        assert!(failure.why.contains("p 1-1 was published before"), "{}", failure.why);
    }

    #[test]
    fn nothing_is_published_in_the_name_of_another_source() {
        let folder = tempfile::tempdir().unwrap();
        built(folder.path(), "x", "1-1");
        let trouble = |source: &str, owners: &[(&str, &str)]| {
            let place = Place { component: "main".into(), target: "arm64".into(), source: source.into() };
            let taking = Taking {
                build: folder.path().to_owned(),
                archive: folder.path().join("archive"),
                place,
                version: "1-1".to_owned(),
                before: None,
                versions: Vec::new(),
                owners: owners.iter().copied().collect(),
            };
            let End::Failed(failure, Advice::Stop) = take(&taking).unwrap_err().end() else { panic!() };
            assert_eq!(&*failure.class, "foreign-package");
            failure.why.to_string()
        };
        assert!(trouble("p", &[("p", "q")]).contains("it makes p, which the suite's q makes"));
        assert!(trouble("q", &[]).contains("says that it is made by p, and q was built"));
        assert!(!folder.path().join("archive").exists());
    }

    #[test]
    fn the_version_of_a_build_is_that_of_the_source_with_the_highest_number_of_a_rebuild() {
        let version = |packages: &[&str]| numbered("1.0-1", packages.iter().copied());
        assert_eq!(version(&["1.0-1", "2:3.0"]), "1.0-1");
        assert_eq!(version(&["1.0-1+b2", "2:3.0+b10", "1.0-1+b9", "1.0-1"]), "1.0-1+b10");
    }
}
