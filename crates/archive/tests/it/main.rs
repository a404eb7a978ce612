//! Reading archives from a mirror that misbehaves, in process.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

mod fetch;
mod index;
mod keyring;
mod pool;
mod publish;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::time::Duration;

use archmill_archive::{Fetcher, Patience, Progress};

/// A fetcher that does not let a test wait.
fn impatient() -> Fetcher {
    Fetcher::with_patience(Patience { window: Duration::from_millis(500), pause: Duration::from_millis(1) })
}

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

impl Progress for Notes {
    fn bytes(&self, _: u64) {}

    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}
