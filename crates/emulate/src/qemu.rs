//! Which QEMU, and which CPU it emulates. The figures behind both choices are in docs/qemu.md.

use crate::table::Architecture;

/// Suites to take QEMU from, the newest first. It runs on the host and not in the root, so it need not be of the suite
/// that is built for. bookworm's 7.2 is faster but less faithful; docs/qemu.md has figures.
const SUITES: &[&str] = &["sid", "trixie-backports", "trixie", "bookworm"];

/// A place to look for QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Suite.
    pub suite: String,
    /// Packages that may have it there, the likeliest first.
    pub programs: Vec<Program>,
}

/// A package and where it has the emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Name of the package (for the host's architecture).
    pub package: &'static str,
    /// Path of the static emulator in it.
    pub path: String,
}

/// Where to look, in order; only in `suite` if one is given.
pub fn candidates(arch: &Architecture, suite: Option<&str>) -> Vec<Candidate> {
    let suites: Vec<&str> = suite.map_or_else(|| SUITES.to_vec(), |suite| vec![suite]);
    // From trixie on qemu-user is static; in bookworm it is not and qemu-user-static has the static ones.
    let new = Program { package: "qemu-user", path: format!("usr/bin/qemu-{}", arch.qemu) };
    let old = Program { package: "qemu-user-static", path: format!("usr/bin/qemu-{}-static", arch.qemu) };
    suites
        .into_iter()
        .map(|suite| {
            let has_old = matches!(suite, "bookworm" | "bullseye" | "oldstable" | "oldoldstable");
            let programs = if has_old { vec![old.clone()] } else { vec![new.clone(), old.clone()] };
            Candidate { suite: suite.to_owned(), programs }
        })
        .collect()
}

/// The CPU model to emulate; `None` for QEMU's default.
///
/// For arm64 QEMU's default is a CPU with pointer authentication, which trixie's programs then use at every call, and the
/// emulation of its cipher is what a build then spends its time on. A Cortex-A72 (ARMv8.0, Debian's baseline) has
/// none. It is set by QEMU_CPU in the environment of the sandbox: there is one emulator in it, so no other
/// can stumble over the name; a program that clears its environment gets the default, slower and right.
pub fn cpu_model(arch: &Architecture) -> Option<&'static str> {
    (arch.debian == "arm64").then_some("cortex-a72")
}

/// How much address space to give programs, for QEMU_RESERVED_VA; `None` for as much as there is.
///
/// Where nothing is said, QEMU (11.1) puts programs of 64 bits among what they map, as the address that it means seems to be
/// beyond those of this CPU. Something is soon mapped behind them, brk(2) fails, and what comes of that is not what the hardware does: malloc
/// leaves ENOMEM in errno. With 46 bits, which a process of 47 has room for, it puts them apart from that.
pub fn address_space(arch: &Architecture) -> Option<&'static str> {
    (arch.bits == 64).then_some("0x400000000000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::find;

    #[test]
    fn the_newest_suite_comes_first_and_a_given_one_is_the_only_one() {
        let arm64 = find("arm64").unwrap();
        assert_eq!(candidates(arm64, None)[0].suite, "sid");
        let bookworm = candidates(arm64, Some("bookworm"));
        assert_eq!(bookworm.len(), 1);
        assert_eq!(bookworm[0].programs[0].path, "usr/bin/qemu-aarch64-static");
    }
}
