//! Build again or not.

use std::fmt;

use super::inputs::{InputHash, Inputs, Strategy};

/// The last build of a package that ended for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// What went into it.
    pub inputs: Inputs,
    /// Whether it succeeded.
    pub succeeded: bool,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Build, under this hash.
    Build(InputHash, Why),
    /// The last build has everything that a new one would have.
    UpToDate,
    /// It failed, and nothing that went into it has changed: it would fail again.
    WouldFail,
}

/// Why a build is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was never built.
    New,
    /// There is another version of the source.
    Version(String),
    /// The source is another under the same version.
    Source,
    /// Profiles or settings are others.
    Settings,
    /// These packages are others, came or went.
    Dependencies(Vec<String>),
}

/// Compares what went into the last build with what would go into the next.
pub fn decide(strategy: Strategy, previous: Option<&Previous>, now: &Inputs) -> Decision {
    let hash = now.hash(strategy);
    let Some(Previous { inputs: before, succeeded }) = previous else {
        return Decision::Build(hash, Why::New);
    };
    if before.hash(strategy) == hash {
        return if *succeeded { Decision::UpToDate } else { Decision::WouldFail };
    }
    let why = if before.version != now.version {
        Why::Version(now.version.clone())
    } else if before.dsc != now.dsc {
        Why::Source
    } else if before.hash(Strategy::Local) != now.hash(Strategy::Local) {
        Why::Settings
    } else {
        Why::Dependencies(changed(before, now))
    };
    Decision::Build(hash, why)
}

fn changed(before: &Inputs, now: &Inputs) -> Vec<String> {
    let missing = |from: &Inputs, among: &Inputs| -> Vec<String> {
        let gone = from.dependencies.iter().filter(|dependency| !among.dependencies.contains(dependency));
        gone.map(|dependency| dependency.name.clone()).collect()
    };
    let mut names = missing(before, now);
    names.append(&mut missing(now, before));
    names.sort_unstable();
    names.dedup();
    names
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("it was never built"),
            Self::Version(version) => write!(f, "version {version} is new"),
            Self::Source => f.write_str("its source changed under the same version"),
            Self::Settings => f.write_str("its build profiles or settings changed"),
            Self::Dependencies(names) => match &names[..] {
                [] => f.write_str("its dependencies changed"),
                [only] => write!(f, "{only} changed"),
                [first, rest @ ..] => write!(f, "{first} and {} more packages changed", rest.len()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rebuild::{Dependency, Fingerprint};

    fn inputs(libc: u8) -> Inputs {
        let libc = Dependency {
            name: "libc6".to_owned(),
            arch: "arm64".to_owned(),
            contents: Fingerprint([libc; 32]),
            direct: false,
        };
        Inputs { version: "1".to_owned(), dependencies: vec![libc], ..Inputs::default() }
    }

    fn decision(succeeded: bool, strategy: Strategy, now: &Inputs) -> Decision {
        decide(strategy, Some(&Previous { inputs: inputs(1), succeeded }), now)
    }

    #[test]
    fn what_is_the_same_is_not_built_again_whether_it_succeeded_or_failed() {
        assert_eq!(decision(true, Strategy::Transitive, &inputs(1)), Decision::UpToDate);
        assert_eq!(decision(false, Strategy::Transitive, &inputs(1)), Decision::WouldFail);
        assert_eq!(decision(true, Strategy::Direct, &inputs(2)), Decision::UpToDate);
    }

    #[test]
    fn the_reason_is_told_in_words() {
        let why = |now: &Inputs| match decision(false, Strategy::Transitive, now) {
            Decision::Build(_, why) => why.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(why(&inputs(2)), "libc6 changed");
        assert_eq!(why(&Inputs { version: "2".to_owned(), ..inputs(2) }), "version 2 is new");
        let settings = vec![("DEB_BUILD_OPTIONS".to_owned(), "nocheck".to_owned())];
        assert_eq!(why(&Inputs { settings, ..inputs(1) }), "its build profiles or settings changed");
        assert!(matches!(decide(Strategy::Local, None, &inputs(1)), Decision::Build(_, Why::New)));
    }
}
