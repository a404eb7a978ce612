//! Errors of a job: in which phase, of which class.

use std::fmt::Display;

use archmill_sandbox::LimitKind;

use crate::classify::{Class, End, Phase, classify};

/// A job that did not reach its end.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    /// What was being done.
    pub phase: Phase,
    /// Whose fault it is.
    pub class: Class,
    /// What happened and what to do.
    pub message: String,
}

impl JobError {
    /// An error in a phase, of the class that the phase has.
    pub fn new(phase: Phase, error: impl Display) -> Self {
        let message = error.to_string();
        Self { phase, class: classify(phase, End::Error, &message), message }
    }

    /// What was asked for does not exist or cannot be.
    pub fn refused(phase: Phase, error: impl Display) -> Self {
        Self { phase, class: Class::Request, message: error.to_string() }
    }

    /// A limit was reached.
    pub fn limit(phase: Phase, kind: LimitKind, error: impl Display) -> Self {
        Self { phase, class: Class::Limit(kind.into()), message: error.to_string() }
    }

    /// The user ended it.
    pub fn cancelled(phase: Phase) -> Self {
        Self { phase, class: Class::Cancelled, message: "cancelled".to_owned() }
    }
}

/// `result.during(phase)?`
pub(crate) trait During<T> {
    /// Makes an error one of the job.
    fn during(self, phase: Phase) -> Result<T, JobError>;
    /// Makes an error a mistake in what was asked for.
    fn refused(self, phase: Phase) -> Result<T, JobError>;
}

impl<T, E: Display> During<T> for Result<T, E> {
    fn during(self, phase: Phase) -> Result<T, JobError> {
        self.map_err(|error| JobError::new(phase, error))
    }

    fn refused(self, phase: Phase) -> Result<T, JobError> {
        self.map_err(|error| JobError::refused(phase, error))
    }
}
