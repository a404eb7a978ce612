//! Exit codes.

use super::class::Class;

/// How `archmill build` and its kin exit. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything that was asked for was built.
    Success = 0,
    /// Something failed that has no code of its own.
    Other = 1,
    /// The command line is wrong, or what it names does not exist; nothing was made.
    Usage = 2,
    /// Build dependencies cannot be satisfied.
    Dependencies = 3,
    /// A file could not be fetched, or failed its verification.
    Fetch = 4,
    /// The build root could not be made.
    Root = 5,
    /// The package does not build.
    Build = 6,
    /// The package builds, its tests fail.
    Tests = 7,
    /// A limit (time, silence, memory, processes, disk, log) ended the build.
    Limit = 8,
    /// The host lacks something that is needed; `archmill doctor` says what.
    Host = 9,
    /// Twins left traces in what was built; `--mode emulated` builds without.
    Acceleration = 10,
    /// A command given with `--hook` failed.
    Hook = 11,
    /// The user ended it (as a shell reports SIGINT).
    Cancelled = 130,
}

impl ExitCode {
    /// All codes, in order.
    pub const ALL: [Self; 13] = [
        Self::Success,
        Self::Other,
        Self::Usage,
        Self::Dependencies,
        Self::Fetch,
        Self::Root,
        Self::Build,
        Self::Tests,
        Self::Limit,
        Self::Host,
        Self::Acceleration,
        Self::Hook,
        Self::Cancelled,
    ];

    /// The number that the process exits with.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What the code means, for help texts.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Success => "everything that was asked for was built",
            Self::Other => "something failed that has no code of its own",
            Self::Usage => "the command line is wrong, or what it names does not exist; nothing was made",
            Self::Dependencies => "build dependencies cannot be satisfied",
            Self::Fetch => "a file could not be fetched or failed its verification",
            Self::Root => "the build root could not be made",
            Self::Build => "the package does not build",
            Self::Tests => "the package builds, its tests fail",
            Self::Limit => "a limit ended the build (time, silence, memory, processes, disk or log)",
            Self::Host => "the host lacks something that is needed; archmill doctor says what",
            Self::Acceleration => "twins left traces in what was built; --mode emulated builds without",
            Self::Hook => "a command given with --hook failed",
            Self::Cancelled => "interrupted",
        }
    }
}

impl From<Class> for ExitCode {
    fn from(class: Class) -> Self {
        match class {
            Class::Request => Self::Usage,
            Class::Hook => Self::Hook,
            Class::Dependencies => Self::Dependencies,
            Class::Fetch => Self::Fetch,
            Class::Root => Self::Root,
            Class::Build => Self::Build,
            Class::Tests => Self::Tests,
            Class::Acceleration => Self::Acceleration,
            Class::Limit(_) => Self::Limit,
            Class::Host => Self::Host,
            Class::Cancelled => Self::Cancelled,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_as_documented() {
        let table: Vec<String> =
            ExitCode::ALL.iter().map(|code| format!("{:>3}  {}", code.code(), code.meaning())).collect();
        insta::assert_snapshot!(table.join("\n"), @r"
          0  everything that was asked for was built
          1  something failed that has no code of its own
          2  the command line is wrong, or what it names does not exist; nothing was made
          3  build dependencies cannot be satisfied
          4  a file could not be fetched or failed its verification
          5  the build root could not be made
          6  the package does not build
          7  the package builds, its tests fail
          8  a limit ended the build (time, silence, memory, processes, disk or log)
          9  the host lacks something that is needed; archmill doctor says what
         10  twins left traces in what was built; --mode emulated builds without
         11  a command given with --hook failed
        130  interrupted
        ");
    }
}
