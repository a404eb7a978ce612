//! What the scheduler knows of one job.

use super::event::Standing;
use super::lanes::Route;
use super::state::{Blocked, Failure, State};
use crate::ladder::{Rung, Worked};
use crate::moment::Moment;

/// One row of the scheduler's table.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) state: State,
    /// Needs that are not in a final state.
    pub(super) open: u32,
    /// How the last build ended for good; `None` if a build is due.
    pub(super) rest: Option<Rest>,
    /// Whether something changed while it was built; for a base set, whether its packages changed since it was reached.
    pub(super) again: bool,
    pub(super) prioritised: bool,
    pub(super) held: Option<Box<str>>,
    pub(super) standing: Standing,
    /// Rungs tried since it became due.
    pub(super) tried: Vec<Rung>,
    /// The rung that the ladder says comes next; `None` at the start.
    pub(super) next: Option<Rung>,
    pub(super) worked: Option<Worked>,
    pub(super) retry: Option<Retry>,
    pub(super) settling: Option<Settling>,
    /// The lane that it is in, and what it adds to the work there, milliseconds.
    pub(super) queued: Option<(Route, u64)>,
    /// Goes up when the state changes, so that what was queued for an older state is recognised.
    pub(super) stamp: u32,
}

/// The end of a build that stands until something changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Succeeded,
    Failed(Failure),
    Unresolvable(Box<str>),
}

/// A failure that is not the package's.
#[derive(Clone, Debug)]
pub(super) struct Retry {
    pub(super) failures: u32,
    pub(super) until: Moment,
    pub(super) why: Box<str>,
}

/// Changes that make one rebuild.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settling {
    pub(super) since: Moment,
    pub(super) until: Moment,
}

impl Entry {
    pub(super) fn new(open: u32) -> Self {
        Self {
            state: State::Blocked(Blocked::Needs),
            open,
            rest: None,
            again: false,
            prioritised: false,
            held: None,
            standing: Standing::Normal,
            tried: Vec::new(),
            next: None,
            worked: None,
            retry: None,
            settling: None,
            queued: None,
            stamp: 0,
        }
    }

    /// Whether a build is due.
    pub(super) fn is_due(&self) -> bool {
        self.rest.is_none()
    }

    /// Forgets how earlier tries went.
    pub(super) fn start_over(&mut self) {
        self.tried.clear();
        self.next = None;
        self.retry = None;
    }
}

impl From<Rest> for State {
    fn from(rest: Rest) -> Self {
        match rest {
            Rest::Succeeded => Self::Succeeded,
            Rest::Failed(failure) => Self::Failed(failure),
            Rest::Unresolvable(why) => Self::Unresolvable(why),
        }
    }
}
