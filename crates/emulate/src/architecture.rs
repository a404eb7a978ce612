//! The table of architectures: one row each, everything else derives from it.

use archmill_deb::nearest::nearest;

use crate::elf::{Class, ElfTarget, Endian};

/// An architecture packages are built for.
#[derive(Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Debian's name (`dpkg-architecture -L`).
    pub debian: &'static str,
    /// Names the Open Build Service and rpm use; the first is the one to show where OBS is spoken.
    pub obs: &'static [&'static str],
    /// GNU triplet, as in the names of compilers.
    pub triplet: &'static str,
    /// Name of the multiarch folder below `/usr/lib`.
    pub multiarch: &'static str,
    /// What `uname -m` says in a root of this architecture under emulation; packages' configure scripts expect no
    /// other. (Debian's armhf and armel build machines are arm64 ones and say `armv8l`.)
    pub machine: &'static str,
    /// QEMU's name of it: the emulator is `qemu-<this>`.
    pub qemu: &'static str,
    /// How its programs are recognised.
    pub elf: ElfTarget,
}

impl Architecture {
    /// Address width in bits.
    pub fn bits(&self) -> u32 {
        match self.elf.class {
            Class::Elf32 => 32,
            Class::Elf64 => 64,
        }
    }

    /// Name of QEMU's user-mode emulator, without the `-static` that some packages add.
    pub fn emulator(&self) -> String {
        format!("qemu-{}", self.qemu)
    }
}

const fn elf(class: Class, endian: Endian, machine: u16) -> ElfTarget {
    ElfTarget { class, endian, machine }
}

/// All architectures, in the order in which they are listed to people.
///
/// The ELF machine numbers are those of the System V ABI's register of machines (`elf.h`).
pub static ARCHITECTURES: &[Architecture] = &[
    Architecture {
        debian: "amd64",
        obs: &["x86_64"],
        triplet: "x86_64-linux-gnu",
        multiarch: "x86_64-linux-gnu",
        machine: "x86_64",
        qemu: "x86_64",
        elf: elf(Class::Elf64, Endian::Little, 62),
    },
    Architecture {
        debian: "i386",
        obs: &["i586", "i686", "i486"],
        triplet: "i686-linux-gnu",
        multiarch: "i386-linux-gnu",
        machine: "i686",
        qemu: "i386",
        elf: elf(Class::Elf32, Endian::Little, 3),
    },
    Architecture {
        debian: "arm64",
        obs: &["aarch64"],
        triplet: "aarch64-linux-gnu",
        multiarch: "aarch64-linux-gnu",
        machine: "aarch64",
        qemu: "aarch64",
        elf: elf(Class::Elf64, Endian::Little, 183),
    },
    Architecture {
        debian: "armhf",
        obs: &["armv7hl", "armv7l"],
        triplet: "arm-linux-gnueabihf",
        multiarch: "arm-linux-gnueabihf",
        machine: "armv7l",
        qemu: "arm",
        elf: elf(Class::Elf32, Endian::Little, 40),
    },
    Architecture {
        debian: "armel",
        obs: &["armv5tel", "armv4l", "armv5el", "armv5l", "armv6l"],
        triplet: "arm-linux-gnueabi",
        multiarch: "arm-linux-gnueabi",
        machine: "armv7l",
        qemu: "arm",
        elf: elf(Class::Elf32, Endian::Little, 40),
    },
    Architecture {
        debian: "riscv64",
        obs: &["riscv64"],
        triplet: "riscv64-linux-gnu",
        multiarch: "riscv64-linux-gnu",
        machine: "riscv64",
        qemu: "riscv64",
        elf: elf(Class::Elf64, Endian::Little, 243),
    },
    Architecture {
        debian: "ppc64el",
        obs: &["ppc64le"],
        triplet: "powerpc64le-linux-gnu",
        multiarch: "powerpc64le-linux-gnu",
        machine: "ppc64le",
        qemu: "ppc64le",
        elf: elf(Class::Elf64, Endian::Little, 21),
    },
    Architecture {
        debian: "s390x",
        obs: &["s390x"],
        triplet: "s390x-linux-gnu",
        multiarch: "s390x-linux-gnu",
        machine: "s390x",
        qemu: "s390x",
        elf: elf(Class::Elf64, Endian::Big, 22),
    },
];

/// A name that stands for no architecture of the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown architecture {name:?}{}", advice(nearest))]
pub struct UnknownArchitecture {
    /// The name given.
    pub name: String,
    /// Names close to it; may be empty.
    pub nearest: Vec<&'static str>,
}

fn advice(nearest: &[&'static str]) -> String {
    if nearest.is_empty() {
        let known: Vec<&str> = ARCHITECTURES.iter().map(|arch| arch.debian).collect();
        format!("; known are {}", known.join(", "))
    } else {
        format!("; did you mean {}?", nearest.join(" or "))
    }
}

/// The architecture of a Debian name; [`parse`] for names that people type.
pub fn find(debian: &str) -> Option<&'static Architecture> {
    ARCHITECTURES.iter().find(|arch| arch.debian == debian)
}

/// The architecture meant by a Debian name, an OBS name or a GNU triplet, in any case.
pub fn parse(name: &str) -> Result<&'static Architecture, UnknownArchitecture> {
    let lower = name.trim().to_ascii_lowercase();
    let is_meant = |arch: &&Architecture| {
        arch.debian == lower || arch.obs.contains(&lower.as_str()) || arch.triplet == lower
    };
    ARCHITECTURES.iter().find(is_meant).ok_or_else(|| {
        let names = ARCHITECTURES.iter().flat_map(|arch| arch.obs.iter().copied().chain([arch.debian]));
        UnknownArchitecture { name: name.to_owned(), nearest: nearest_static(&lower, names) }
    })
}

fn nearest_static(wanted: &str, names: impl Iterator<Item = &'static str> + Clone) -> Vec<&'static str> {
    let close = nearest(wanted, names.clone());
    close.iter().filter_map(|found| names.clone().find(|name| name == found)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_every_row_means_that_row() {
        for arch in ARCHITECTURES {
            for name in arch.obs.iter().chain([&arch.debian, &arch.triplet]) {
                assert_eq!(parse(name), Ok(arch), "{name}");
            }
        }
    }

    #[test]
    fn both_32_bit_arm_names_of_obs_mean_armhf() {
        assert_eq!(parse("armv7l").unwrap().debian, "armhf");
        assert_eq!(parse("armv7hl").unwrap().debian, "armhf");
        assert_eq!(parse("armv5tel").unwrap().debian, "armel");
    }

    #[test]
    fn case_and_blanks_do_not_matter() {
        assert_eq!(parse(" AArch64 ").unwrap().debian, "arm64");
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_ones() {
        assert_eq!(parse("amr64").unwrap_err().nearest, ["arm64", "amd64"]);
        assert_eq!(parse("arm46").unwrap_err().to_string(), r#"unknown architecture "arm46"; did you mean arm64?"#);
        let message = parse("vax").unwrap_err().to_string();
        assert!(message.ends_with("known are amd64, i386, arm64, armhf, armel, riscv64, ppc64el, s390x"), "{message}");
    }

    #[test]
    fn the_table() {
        let rows: Vec<String> = ARCHITECTURES
            .iter()
            .map(|arch| {
                let Architecture { debian, obs, triplet, machine, elf, .. } = arch;
                let (bits, emulator) = (arch.bits(), arch.emulator());
                format!("{debian} {} {triplet} {bits} {:?} {} {machine} {emulator}", obs.join("/"), elf.endian, elf.machine)
            })
            .collect();
        insta::assert_snapshot!(rows.join("\n"), @r"");
    }
}
