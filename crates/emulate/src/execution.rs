//! Who can execute what.

use crate::table::Architecture;

/// What matters of a machine's CPU and kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCpu {
    /// `uname -m` of the machine itself.
    pub machine: String,
    /// Whether a 64-bit ARM CPU also executes 32-bit code (AArch32 at EL0): some server CPUs do not.
    pub aarch32: bool,
}

/// How a target's programs run on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// By the CPU.
    Native {
        /// Under the 32-bit personality (personality(2), PER_LINUX32), so that `uname -m` answers as on the real machine.
        personality_32: bool,
    },
    /// By QEMU.
    Emulated,
}

impl HostCpu {
    /// This machine.
    pub fn probe() -> Self {
        let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
        // Kernels with 32-bit support list the 32-bit ABI's features on CPUs that have them.
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let aarch32 = machine == "aarch64" && has_aarch32(&cpuinfo);
        Self { machine, aarch32 }
    }

    /// How programs of `target` run here.
    pub fn execution(&self, target: &Architecture) -> Execution {
        let native = |personality_32| Execution::Native { personality_32 };
        match (self.machine.as_str(), target.debian) {
            ("x86_64", "i386") => native(true),
            ("aarch64", "armhf" | "armel") if self.aarch32 => native(true),
            ("x86_64", "amd64")
            | ("aarch64", "arm64")
            | ("riscv64", "riscv64")
            | ("ppc64le", "ppc64el")
            | ("s390x", "s390x")
            | ("i586" | "i686", "i386")
            | ("armv7l" | "armv8l", "armhf" | "armel") => native(false),
            _ => Execution::Emulated,
        }
    }
}

/// CPUs that are known to lack AArch32, by implementer and part (the MIDR_EL1 fields in /proc/cpuinfo): Cavium ThunderX
/// and ThunderX2, Ampere-1 and 1A, Apple's, Fujitsu A64FX, Neoverse V1 and later at EL0, Cortex-X2 and later.
const WITHOUT_AARCH32: &[(&str, &[&str])] = &[
    (
        "0x41",
        &[
            "0xd40", "0xd49", "0xd4f", "0xd47", "0xd48", "0xd4d", "0xd4e", "0xd80", "0xd81", "0xd82",
            "0xd83", "0xd84",
        ],
    ),
    ("0x42", &["0x516"]),
    ("0x43", &["0x0a1", "0x0af"]),
    ("0x46", &["0x001"]),
    ("0x61", &[]),
    ("0xc0", &["0xac3", "0xac4", "0xac5"]),
];

fn has_aarch32(cpuinfo: &str) -> bool {
    let field = |line: &str| {
        line.split_once(':').map(|(_, value)| value.trim().to_ascii_lowercase()).unwrap_or_default()
    };
    let mut implementer = String::new();
    for line in cpuinfo.lines() {
        if line.starts_with("CPU implementer") {
            implementer = field(line);
        } else if line.starts_with("CPU part") {
            let part = field(line);
            let lacks = |(maker, parts): &(&str, &[&str])| {
                *maker == implementer && (parts.is_empty() || parts.contains(&part.as_str()))
            };
            if WITHOUT_AARCH32.iter().any(lacks) {
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::find;

    fn on(machine: &str, aarch32: bool, target: &str) -> Execution {
        HostCpu { machine: machine.into(), aarch32 }.execution(find(target).unwrap())
    }

    #[test]
    fn a_cpu_executes_its_own_and_its_32_bit_sibling() {
        assert_eq!(on("x86_64", false, "amd64"), Execution::Native { personality_32: false });
        assert_eq!(on("x86_64", false, "i386"), Execution::Native { personality_32: true });
        assert_eq!(on("x86_64", false, "arm64"), Execution::Emulated);
        assert_eq!(on("aarch64", true, "armhf"), Execution::Native { personality_32: true });
        assert_eq!(on("aarch64", false, "armhf"), Execution::Emulated);
    }

    #[test]
    fn some_arm_servers_have_no_32_bit_mode() {
        assert!(has_aarch32("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"), "Neoverse N1");
        assert!(!has_aarch32("CPU implementer\t: 0xc0\nCPU part\t: 0xac3\n"), "Ampere One");
        assert!(!has_aarch32("CPU implementer\t: 0x61\nCPU part\t: 0x022\n"), "Apple");
    }
}
