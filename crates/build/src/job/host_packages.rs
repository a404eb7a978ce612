//! What indices and the cache have for this machine, as the planner of twins asks for it.

use std::path::Path;

use archmill_deb::Arch;
use archmill_emulate::twins::{Installed, Offer, Offers};
use archmill_solve::{PackageRef, Universe};

/// The packages for this machine in the suites of a build, and toolchains that were made here.
pub(crate) struct HostPackages<'p> {
    pub(crate) universe: &'p Universe,
    pub(crate) arch: &'p Arch,
    /// URI of the archive that each index is from.
    pub(crate) uris: &'p [String],
    /// Where toolchains are.
    pub(crate) cache: &'p Path,
}

impl Offers for HostPackages<'_> {
    fn versions(&self, name: &str) -> Vec<Offer> {
        let packages = self.universe.versions(name, self.arch);
        let of_host = packages.filter(|package| package.architecture() != "all");
        of_host
            .map(|package| {
                let (source, source_version) = package.source();
                let field = |name: &str| package.field(name).unwrap_or_default().to_owned();
                let uri = self.uris.get(package.index_number()).map_or("", String::as_str);
                Offer {
                    name: package.name().to_owned(),
                    version: package.version().to_owned(),
                    arch: self.arch.to_string(),
                    source: source.to_owned(),
                    source_version: source_version.to_owned(),
                    depends: depends(package),
                    built_using: field("Built-Using"),
                    filename: format!("{uri}/{}", field("Filename")),
                    size: field("Size").parse().unwrap_or(0),
                    sha256: field("SHA256"),
                    index: package.index_number(),
                    folder: None,
                }
            })
            .collect()
    }

    fn toolchain(&self, source: &str, version: &str, target: &str) -> Option<Offer> {
        let made = crate::toolchain::find(self.cache, source, version, target)?;
        let mut libraries: Vec<&str> =
            made.description.libraries.iter().map(|library| library.package.as_str()).collect();
        libraries.sort_unstable();
        libraries.dedup();
        Some(Offer {
            name: format!("toolchain {source} for {target}"),
            version: version.to_owned(),
            arch: self.arch.to_string(),
            source: source.to_owned(),
            source_version: version.to_owned(),
            depends: libraries.join(", "),
            built_using: String::new(),
            filename: String::new(),
            size: 0,
            sha256: made.sha256(),
            index: 0,
            folder: Some(made.folder.clone()),
        })
    }
}

/// A package of a root for `target`.
pub(crate) fn installed(package: PackageRef<'_>, target: &str) -> Installed {
    let (source, source_version) = package.source();
    Installed {
        name: package.name().to_owned(),
        version: package.version().to_owned(),
        of_target: package.architecture() == target,
        source: source.to_owned(),
        source_version: source_version.to_owned(),
        depends: depends(package),
    }
}

fn depends(package: PackageRef<'_>) -> String {
    let fields = ["Pre-Depends", "Depends"].map(|name| package.field(name).unwrap_or_default());
    let parts: Vec<&str> = fields.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}
