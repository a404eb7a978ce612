//! Machines and what they may build.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::TargetId;

/// A kind of machine, by its place in the list that the scheduler was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MachineId(pub u8);

/// Machines that are alike, taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineKind {
    /// Its name, such as "x86_64".
    pub name: String,
    /// Whether they are the x86-64 machines, on which alone a farm may have to do.
    pub is_x86: bool,
    /// How many builds they run at a time.
    pub slots: u32,
    /// Targets whose programs their CPU executes; the one that packages for all are built for brings `all` with it.
    pub native: Vec<TargetId>,
    /// Targets that they build with QEMU.
    pub emulated: Vec<TargetId>,
}

/// Where builds for other architectures than x86-64's run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// On machines whose CPU executes the target's programs, and nowhere else.
    NativeOnly,
    /// On either, whichever is predicted to be done sooner; what fails emulated goes to a native machine.
    #[default]
    Hybrid,
    /// On x86-64 machines, and nowhere else.
    X86Only,
}

impl Policy {
    /// All policies.
    pub const ALL: [Self; 3] = [Self::NativeOnly, Self::Hybrid, Self::X86Only];
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NativeOnly => "native-only",
            Self::Hybrid => "hybrid",
            Self::X86Only => "x86-only",
        })
    }
}
