//! When a build with twins is tried again without, and which sources have needed that.

use std::fs;
use std::path::PathBuf;

use super::session::Session;
use crate::classify::Class;
use crate::record::Outcome;

/// What a failed program prints where a twin may have had a part in it.
const SIGNS: [&str; 7] = [
    archmill_dispatch::PREFIX,
    "wrong ELF class",
    "cannot open shared object file",
    "Exec format error",
    "cannot execute binary file",
    "loadable library and perl binaries are mismatched",
    "file format not recognized",
];

/// Whether a failure may be the twins' and not the source's. `tail` is the end of the log. A compiler's error is not: the
/// same compiler, emulated, gives the same.
pub fn suspected(outcome: &Outcome, tail: &str) -> bool {
    match outcome.class {
        Some(Class::Acceleration | Class::Tests) => true,
        Some(Class::Build | Class::Root) => {
            outcome.signal.is_some()
                || SIGNS.iter().any(|sign| tail.contains(sign))
                || tail.contains("Segmentation fault")
        }
        _ => false,
    }
}

impl Session<'_> {
    /// Whether a source has been found to need emulation of all of it.
    pub fn needs_emulation(&self, source: &str, arch: &str) -> bool {
        self.emulation_note(source, arch).is_file()
    }

    /// Remembers that it has; `why` is for people.
    pub fn remember_emulation(&self, source: &str, arch: &str, why: &str) -> std::io::Result<()> {
        let note = self.emulation_note(source, arch);
        fs::create_dir_all(note.parent().unwrap_or(&note))?;
        fs::write(note, format!("{why}\n"))
    }

    fn emulation_note(&self, source: &str, arch: &str) -> PathBuf {
        self.folder("emulated").join(format!("{source}_{arch}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Phase;

    #[test]
    fn an_error_of_the_compiler_is_no_reason_and_one_of_a_loader_is() {
        let failed = |class| Outcome::failure(Phase::Build, class, "x".to_owned());
        assert!(!suspected(&failed(Class::Build), "main.c:1: error: expected ';'"));
        assert!(suspected(&failed(Class::Build), "libfoo.so: cannot open shared object file"));
        assert!(suspected(&failed(Class::Tests), ""));
        assert!(suspected(&failed(Class::Acceleration), ""));
        assert!(!suspected(&failed(Class::Fetch), "wrong ELF class"));
    }
}
