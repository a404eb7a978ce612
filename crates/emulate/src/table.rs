//! Architectures that packages can be built for.

use archmill_deb::nearest;

/// Byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// An architecture and what must be known to run its programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Architecture {
    /// Debian's name.
    pub debian: &'static str,
    /// Names that the Open Build Service has for it, the usual one first.
    pub obs: &'static [&'static str],
    /// GNU triplet, as Debian's multiarch folders are named (i386's compiler says i686).
    pub triplet: &'static str,
    /// Size of a pointer.
    pub bits: u8,
    /// Byte order.
    pub endian: Endian,
    /// `e_machine` of its ELF files.
    pub elf_machine: u16,
    /// What follows `qemu-` in the name of its user-mode emulator.
    pub qemu: &'static str,
    /// What `uname -m` says on such a machine.
    pub machine: &'static str,
    /// What Go calls it (GOARCH).
    pub go: &'static str,
    /// Rust's target triple, as in /usr/share/rustc/architecture.mk.
    pub rust: &'static str,
    /// Whether every such processor has fused multiplication and addition, which rounds once: then the C library's functions for
    /// floating point use it, and their last bits are those of other machines that do.
    pub fuses: bool,
    /// Bits of C's long double: 80 are those of x86, 106 two numbers of 64 bits.
    pub long_double: u8,
    /// Top-level folders besides bin, sbin and lib that are links into /usr.
    pub usr_links: &'static [&'static str],
}

/// All that is known. The names of OBS are those of its scheduler architectures.
pub const TABLE: &[Architecture] = &[
    Architecture {
        long_double: 80,
        ..entry(
            "amd64",
            &["x86_64"],
            "x86_64-linux-gnu",
            64,
            62,
            "x86_64",
            "x86_64",
            "amd64",
            "x86_64-unknown-linux-gnu",
            &["lib64"],
        )
    },
    Architecture {
        long_double: 80,
        ..entry(
            "i386",
            &["i586", "i686"],
            "i386-linux-gnu",
            32,
            3,
            "i386",
            "i686",
            "386",
            "i686-unknown-linux-gnu",
            &[],
        )
    },
    Architecture {
        fuses: true,
        ..entry(
            "arm64",
            &["aarch64"],
            "aarch64-linux-gnu",
            64,
            183,
            "aarch64",
            "aarch64",
            "arm64",
            "aarch64-unknown-linux-gnu",
            &[],
        )
    },
    entry(
        "armhf",
        &["armv7hl", "armv7l"],
        "arm-linux-gnueabihf",
        32,
        40,
        "arm",
        "armv7l",
        "arm",
        "armv7-unknown-linux-gnueabihf",
        &[],
    ),
    entry(
        "armel",
        &["armv5el", "armv5tel", "armv6el"],
        "arm-linux-gnueabi",
        32,
        40,
        "arm",
        "armv5tel",
        "arm",
        "armv5te-unknown-linux-gnueabi",
        &[],
    ),
    Architecture {
        fuses: true,
        ..entry(
            "riscv64",
            &["riscv64"],
            "riscv64-linux-gnu",
            64,
            243,
            "riscv64",
            "riscv64",
            "riscv64",
            "riscv64gc-unknown-linux-gnu",
            &[],
        )
    },
    Architecture {
        long_double: 106,
        ..entry(
            "ppc64el",
            &["ppc64le"],
            "powerpc64le-linux-gnu",
            64,
            21,
            "ppc64le",
            "ppc64le",
            "ppc64le",
            "powerpc64le-unknown-linux-gnu",
            &["lib64"],
        )
    },
    Architecture {
        endian: Endian::Big,
        ..entry(
            "s390x",
            &["s390x"],
            "s390x-linux-gnu",
            64,
            22,
            "s390x",
            "s390x",
            "s390x",
            "s390x-unknown-linux-gnu",
            &[],
        )
    },
];

#[allow(clippy::too_many_arguments)]
const fn entry(
    debian: &'static str,
    obs: &'static [&'static str],
    triplet: &'static str,
    bits: u8,
    elf_machine: u16,
    qemu: &'static str,
    machine: &'static str,
    go: &'static str,
    rust: &'static str,
    usr_links: &'static [&'static str],
) -> Architecture {
    let endian = Endian::Little;
    let fuses = false;
    let long_double = if bits == 64 { 128 } else { 64 };
    Architecture {
        debian,
        obs,
        triplet,
        bits,
        endian,
        elf_machine,
        qemu,
        machine,
        go,
        rust,
        fuses,
        long_double,
        usr_links,
    }
}

/// No such architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no architecture {name:?}; {}", advice(nearest))]
pub struct UnknownArchitecture {
    name: String,
    nearest: Vec<String>,
}

fn advice(nearest: &[String]) -> String {
    if nearest.is_empty() {
        let all: Vec<&str> = TABLE.iter().map(|arch| arch.debian).collect();
        format!("archmill builds for {} (OBS names are understood too)", all.join(", "))
    } else {
        format!("did you mean {}?", nearest.join(" or "))
    }
}

/// Finds an architecture by its Debian or OBS name.
pub fn find(name: &str) -> Result<&'static Architecture, UnknownArchitecture> {
    let known = TABLE.iter().find(|arch| arch.debian == name || arch.obs.contains(&name));
    known.ok_or_else(|| {
        let names = TABLE.iter().flat_map(|arch| [arch.debian].into_iter().chain(arch.obs.iter().copied()));
        let near = nearest(name, names).into_iter().map(str::to_owned).collect();
        UnknownArchitecture { name: name.to_owned(), nearest: near }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_obs_names_mean_the_same() {
        for (name, debian) in [
            ("aarch64", "arm64"),
            ("armv7l", "armhf"),
            ("armv7hl", "armhf"),
            ("x86_64", "amd64"),
            ("s390x", "s390x"),
        ] {
            assert_eq!(find(name).unwrap().debian, debian);
        }
        assert_eq!(
            find("amr64").unwrap_err().to_string(),
            "there is no architecture \"amr64\"; did you mean amd64 or arm64?"
        );
        assert!(find("vax").unwrap_err().to_string().contains("archmill builds for amd64"));
    }

    #[test]
    fn no_name_is_used_twice() {
        let mut names: Vec<&str> = TABLE.iter().map(|arch| arch.debian).collect();
        names.extend(
            TABLE
                .iter()
                .flat_map(|arch| arch.obs)
                .filter(|obs| !TABLE.iter().any(|arch| arch.debian == **obs)),
        );
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
