//! How one build is run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What runs the target's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A CPU that executes them.
    Native,
    /// QEMU, with twins in place of the tools.
    Accelerated,
    /// QEMU.
    Emulated,
    /// Another version or CPU model of QEMU.
    OtherQemu,
    /// Nothing: the upstream archive's package is taken.
    Imported,
}

/// A mode, and whether the build is given time.
///
/// A *patient* build has one CPU, stretched timeouts and a slowed clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rung {
    /// The mode.
    pub mode: Mode,
    /// Whether it is patient.
    pub patient: bool,
}

/// No rung of a ladder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no mode; write native, accelerated, emulated, other-qemu or imported, with +patience after any but the last"
)]
pub struct ParseError(String);

impl Mode {
    /// All modes, the best first.
    pub const ALL: [Self; 5] =
        [Self::Native, Self::Accelerated, Self::Emulated, Self::OtherQemu, Self::Imported];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Accelerated => "accelerated",
            Self::Emulated => "emulated",
            Self::OtherQemu => "other-qemu",
            Self::Imported => "imported",
        }
    }

    /// Whether QEMU runs the target's programs.
    pub const fn is_emulating(self) -> bool {
        matches!(self, Self::Accelerated | Self::Emulated | Self::OtherQemu)
    }

    /// The mode without patience.
    pub const fn rung(self) -> Rung {
        Rung { mode: self, patient: false }
    }

    /// The mode with patience.
    pub const fn patient(self) -> Rung {
        Rung { mode: self, patient: true }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.mode, if self.patient { "+patience" } else { "" })
    }
}

impl FromStr for Rung {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (name, patient) = match text.strip_suffix("+patience") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let mode = Mode::ALL.into_iter().find(|mode| mode.name() == name);
        // Nothing runs that could be given time.
        let mode = mode.filter(|mode| !patient || *mode != Mode::Imported);
        mode.map(|mode| Self { mode, patient }).ok_or_else(|| ParseError(text.to_owned()))
    }
}

impl TryFrom<String> for Rung {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<Rung> for String {
    fn from(rung: Rung) -> Self {
        rung.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_written_as_they_are_read() {
        for mode in Mode::ALL {
            assert_eq!(mode.name().parse(), Ok(mode.rung()));
        }
        assert_eq!("accelerated+patience".parse(), Ok(Mode::Accelerated.patient()));
        assert_eq!(Mode::Emulated.patient().to_string(), "emulated+patience");
        assert!("imported+patience".parse::<Rung>().is_err());
        assert!("faster".parse::<Rung>().unwrap_err().to_string().contains("write native"));
    }
}
