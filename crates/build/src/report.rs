//! What a build tells while it goes on; the terminal, a log or a server listens.

use std::path::Path;

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step began, in words ("resolving build dependencies of dash").
    Step(&'a str),
    /// A number of things is to be done now; `bytes` when the unit is a byte.
    Begin {
        /// What ("downloading", "unpacking").
        what: &'a str,
        /// How many.
        total: u64,
        /// Whether the numbers are bytes.
        bytes: bool,
    },
    /// So many more are done.
    Advance(u64),
    /// All that was begun is done.
    End,
    /// Something that the user should know and that does not stop the build.
    Warning(&'a str),
    /// A piece of the build log.
    Log(&'a [u8]),
    /// The folder with the results.
    Results(&'a Path),
}

/// Who listens. Called from several threads.
pub trait Reporter: Sync {
    /// Takes an event.
    fn event(&self, event: Event<'_>);
}

/// Listens to nothing.
#[derive(Debug)]
pub struct Silent;

impl Reporter for Silent {
    fn event(&self, _: Event<'_>) {}
}
