//! What would help foreign builds and is not there: toolchains, and twins of tools that are yet to be built.

use std::path::Path;

use archmill_deb::Arch;
use archmill_emulate::Architecture;
use archmill_emulate::twins::{CompilerSource, Family, Host, plan};
use archmill_solve::{PackageId, PackageRef, Sources, Universe};

use super::make::can_make;
use crate::job::host_packages::{HostPackages, installed};

/// The compilers of roots for `target` that no compiler for this machine stands in for, and that [`make`](super::make())
/// could make. `host` has the packages of this machine, whose architecture is `native`; `root` those of the target, of which
/// `packages` are in the roots.
pub fn lacking(
    cache: &Path,
    (native, host): (&Architecture, &Universe),
    (target, root): (&Architecture, &Universe),
    packages: &[PackageId],
    families: &[Family],
) -> Vec<CompilerSource> {
    let Ok(arch) = native.debian.parse::<Arch>() else { return Vec::new() };
    let offers = HostPackages { universe: host, arch: &arch, uris: &[], cache };
    let packages: Vec<_> =
        packages.iter().map(|package| installed(root.package(*package), target.debian)).collect();
    let plan = plan(target, &[Host { arch: native, offers: &offers, fuses: false }], &packages, families);
    let mut lacking: Vec<CompilerSource> =
        plan.refused.into_iter().filter_map(|refusal| refusal.toolchain).collect();
    lacking.retain(|compiler| can_make(&compiler.source));
    lacking.sort_unstable();
    lacking.dedup();
    lacking
}

/// Sources of tools that have twins, and of which this machine's packages are of another version than what is to be built: until
/// the farm has built them for this machine, there is no twin of that version.
pub fn tools_ahead(host: &Universe, native: &Arch, sources: &Sources, families: &[Family]) -> Vec<String> {
    let mut tools = Vec::new();
    for given in families.iter().flat_map(|family| &family.twin) {
        let name = given.twin.as_deref().unwrap_or(&given.package);
        let Some((source, version)) = host.candidate(name, native).map(PackageRef::source) else { continue };
        if sources.find(source).is_some_and(|planned| planned.version != version) {
            tools.push(source.to_owned());
        }
    }
    tools.sort_unstable();
    tools.dedup();
    tools
}

#[cfg(test)]
mod tests {
    use archmill_emulate::find;
    use archmill_emulate::twins::builtin;
    use archmill_solve::IndexText;

    use super::*;

    const ROOT: &str = "\
Package: gcc-12
Source: gcc-12
Version: 12.2.0-14+deb12u1
Architecture: arm64

Package: binutils
Version: 2.40-2
Architecture: arm64
";

    fn lacks(host: &str) -> Vec<String> {
        let universe = |text: &str, arch: &str| {
            Universe::new(vec![IndexText::new(text, "test")], &arch.parse().unwrap(), &[])
        };
        let (root, host) = (universe(ROOT, "arm64"), universe(host, "amd64"));
        let packages: Vec<PackageId> = root.packages().map(PackageRef::id).collect();
        let folder = tempfile::tempdir().unwrap();
        let (native, target) = (find("amd64").unwrap(), find("arm64").unwrap());
        let families = builtin().unwrap();
        lacking(folder.path(), (native, &host), (target, &root), &packages, &families)
            .into_iter()
            .map(|compiler| format!("{} {}", compiler.source, compiler.version))
            .collect()
    }

    #[test]
    fn a_compiler_out_of_step_is_lacking_and_one_in_step_is_not() {
        let cross = |using: &str| {
            format!(
                "Package: gcc-12-aarch64-linux-gnu\nSource: gcc-12-cross\nVersion: 12.2.0-14cross1\nArchitecture: amd64\n\
                 Built-Using: gcc-12 (= {using})\n"
            )
        };
        assert_eq!(lacks(&cross("12.2.0-14")), ["gcc-12 12.2.0-14+deb12u1"]);
        assert_eq!(lacks(""), ["gcc-12 12.2.0-14+deb12u1"]);
        assert!(lacks(&cross("12.2.0-14+deb12u1")).is_empty());
    }

    #[test]
    fn a_tool_is_ahead_while_only_its_source_has_the_version() {
        let native: Arch = "amd64".parse().unwrap();
        let host = "Package: dash\nVersion: 1-1+b1\nSource: dash (1-1)\nArchitecture: amd64\n\n\
                    Package: make\nSource: make-dfsg\nVersion: 4-1\nArchitecture: amd64\n";
        let host = Universe::new(vec![IndexText::new(host, "test")], &native, &[]);
        let ahead = |dash: &str, make: &str| {
            let text = format!(
                "Package: dash\nVersion: {dash}\nArchitecture: any\n\nPackage: make-dfsg\nVersion: {make}\nArchitecture: any\n"
            );
            tools_ahead(
                &host,
                &native,
                &Sources::new(vec![IndexText::new(text, "test")]),
                &builtin().unwrap(),
            )
        };
        assert!(ahead("1-1", "4-1").is_empty());
        assert_eq!(ahead("1-2", "4-1"), ["dash"]);
        assert_eq!(ahead("1-2", "4-2"), ["dash", "make-dfsg"]);
    }
}
