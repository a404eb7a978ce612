//! What a universe is made from.

use std::sync::Arc;

/// The text of one Packages index and how much it is to be preferred.
#[derive(Clone, Debug)]
pub struct IndexText {
    /// Stanzas of binary packages, as in a Packages file.
    pub text: Arc<str>,
    /// Where it came from, in words for a message ("trixie", "trixie-security").
    pub origin: String,
    /// As apt's pin priority: the version with the highest priority is the candidate,
    /// among equal ones the newest; nothing is taken from an index with a negative one.
    pub priority: i32,
}

impl IndexText {
    /// What apt gives an ordinary archive.
    pub const DEFAULT_PRIORITY: i32 = 500;
    /// Above every archive: packages given by hand win, older ones too.
    pub const LOCAL_PRIORITY: i32 = 1001;

    /// An index of an ordinary archive.
    pub fn new(text: impl Into<Arc<str>>, origin: impl Into<String>) -> Self {
        Self { text: text.into(), origin: origin.into(), priority: Self::DEFAULT_PRIORITY }
    }

    /// Packages given by hand, which win over every archive.
    pub fn local(text: impl Into<Arc<str>>, origin: impl Into<String>) -> Self {
        Self::new(text, origin).with_priority(Self::LOCAL_PRIORITY)
    }

    /// The same index with another priority.
    #[must_use]
    pub fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }
}
