//! Who wants to know how far downloads are.

/// Called from several threads.
pub trait Progress: Sync {
    /// So many more bytes are here.
    fn bytes(&self, count: u64);
    /// Something went wrong that is tried again, or that the user should know.
    fn note(&self, text: &str);
}

/// Nobody.
#[derive(Debug)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn bytes(&self, _: u64) {}
    fn note(&self, _: &str) {}
}
