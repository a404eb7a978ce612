//! The archive's own packages in place of a build.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use archmill_archive::{Expected, OpenedSuite, PoolFile};
use archmill_deb::{Arch, Version, is_plain_name, without_binnmu};
use archmill_solve::PackageRef;

use super::draft::Draft;
use super::error::{During as _, JobError};
use super::pinned::fetch;
use super::plan::{build_type, texts};
use super::session::{Request, Session};
use super::source::Source;
use crate::classify::Phase;
use crate::record::Repository;

/// Repositories that are preferred to this are the farm's own results; what is imported is upstream's.
const OWN: i32 = 500;

/// Finds the packages that the archive has of a source, for the request's architecture or for all, and gets them: names and
/// where they are. Their hashes are those of the signed indices. The source itself is not fetched.
pub fn import(
    session: &Session<'_>,
    request: &Request,
    draft: &mut Draft,
) -> Result<Vec<(String, PathBuf)>, JobError> {
    let arch: Arch = request.arch.debian.parse().during(Phase::Host)?;
    let specs = session.setup.repositories(&request.suite).refused(Phase::Indexes)?;
    draft.phases.begin(Phase::Indexes);
    session.step(&format!("reading package indexes of {}", request.suite));
    let archives = session.archives()?;
    let mut suites = Vec::new();
    for spec in specs.iter().filter(|spec| spec.priority.is_none_or(|priority| priority <= OWN)) {
        session.check_cancelled(Phase::Indexes)?;
        let suite = archives.open(spec, arch.as_str(), true, &session.progress()).during(Phase::Indexes)?;
        session.claim_indices(&suite)?;
        draft.repositories.push(Repository::of(&suite));
        suites.push(suite);
    }
    draft.phases.begin(Phase::Resolve);
    let source = Source::find(&request.source, &suites)?;
    let (name, version) = (source.record.package.clone(), source.record.version.to_string());
    let kind = build_type(&source, request)?;
    draft.source = Some(source);
    let (texts, owners) = texts(&suites, Vec::new())?;
    let hashes: Vec<&str> =
        suites.iter().flat_map(|suite| &suite.packages).map(|index| index.sha256.as_str()).collect();
    let universe = super::universe(&session.setup.cache, texts, &hashes, &arch, &[]);
    let is_wanted = |package: &PackageRef<'_>| {
        package.source() == (&name, &version)
            && if package.architecture() == "all" { kind.builds_all() } else { kind.builds_any() }
    };
    let mut newest: BTreeMap<&str, PackageRef<'_>> = BTreeMap::new();
    for package in universe.packages().filter(is_wanted) {
        let read = |package: &PackageRef<'_>| package.version().parse::<Version>().ok();
        let known = newest.entry(package.name()).or_insert(package);
        if read(&package) > read(known) {
            *known = package;
        }
    }
    if newest.is_empty() {
        let message = format!(
            "the archive has no packages of {name} {version} for {arch}, so there is nothing to import"
        );
        return Err(JobError::refused(Phase::Resolve, message));
    }
    let mut files = Vec::new();
    for package in newest.into_values() {
        let suite = owners.get(package.index_number()).copied().flatten();
        files.push(file(package, suite.and_then(|number| suites.get(number))).during(Phase::Resolve)?);
    }
    draft.phases.begin(Phase::FetchPackages);
    let (names, files): (Vec<String>, Vec<PoolFile>) = files.into_iter().unzip();
    let paths = fetch(session, "downloading packages", &files, Phase::FetchPackages)?;
    draft.phases.end(None);
    Ok(names.into_iter().zip(paths).collect())
}

/// Gets the archive's own packages that have these file names, or were rebuilt from the same version (`+bN`), if it has them: by
/// the names that were asked for, where they are.
///
/// `suites` are for the architecture `arch`.
pub(super) fn published(
    session: &Session<'_>,
    suites: &[OpenedSuite],
    arch: &Arch,
    names: &BTreeSet<&str>,
) -> Result<BTreeMap<String, PathBuf>, JobError> {
    let packages: BTreeSet<&str> = names.iter().filter_map(|name| name.split('_').next()).collect();
    let (texts, owners) = texts(suites, Vec::new())?;
    let hashes: Vec<&str> =
        suites.iter().flat_map(|suite| &suite.packages).map(|index| index.sha256.as_str()).collect();
    let universe = super::universe(&session.setup.cache, texts, &hashes, arch, &[]);
    let mut found = BTreeMap::new();
    for package in universe.packages().filter(|package| packages.contains(package.name())) {
        let suite = owners.get(package.index_number()).copied().flatten();
        let Some(suite) = suite.and_then(|number| suites.get(number)) else { continue };
        if suite.spec.priority.is_none_or(|priority| priority <= OWN) {
            let (name, file) = file(package, Some(suite)).during(Phase::Artifacts)?;
            let asked = names.iter().find(|asked| without_rebuild(asked) == without_rebuild(&name));
            found.extend(asked.map(|asked| ((*asked).to_owned(), file)));
        }
    }
    let (names, files): (Vec<String>, Vec<PoolFile>) = found.into_iter().unzip();
    let paths = fetch(session, "downloading packages to compare with", &files, Phase::Artifacts)?;
    Ok(names.into_iter().zip(paths).collect())
}

/// The file name of a package without the number of a rebuild in its version, in two parts: `name_1.0-2` and `arm64.deb`.
fn without_rebuild(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('_').map(|(head, arch)| (without_binnmu(head), arch))
}

/// Name and place of a package's file.
fn file(package: PackageRef<'_>, suite: Option<&OpenedSuite>) -> Result<(String, PoolFile), String> {
    let field = |name: &str| {
        package
            .field(name)
            .map(str::trim)
            .ok_or_else(|| format!("{} has no {name} in the index", package.name()))
    };
    let place = field("Filename")?;
    let name = place.rsplit('/').next().unwrap_or(place).to_owned();
    if !is_plain_name(&name) {
        return Err(format!("{} has the file name {place:?} in the index", package.name()));
    }
    let size = field("Size")?.parse().map_err(|_| format!("{} has no size in the index", package.name()))?;
    let uri = suite.map_or("", |suite| suite.spec.uri.as_str());
    let expected = Expected { sha256: field("SHA256")?.to_owned(), size };
    Ok((name, PoolFile { url: format!("{uri}/{place}"), expected }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_of_a_version_counts_as_that_version() {
        for (name, plain) in [
            ("liblua5.4-dev_5.4.7-1+b2_arm64.deb", "liblua5.4-dev_5.4.7-1_arm64.deb"),
            ("dash_0.5.12-12_arm64.deb", "dash_0.5.12-12_arm64.deb"),
            ("x_1+beta_arm64.deb", "x_1+beta_arm64.deb"),
        ] {
            assert_eq!(without_rebuild(name), plain.rsplit_once('_'));
        }
    }
}
