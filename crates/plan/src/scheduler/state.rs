//! Where a package stands, in the words of OBS.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::BuildId;
use super::machine::MachineId;
use crate::ids::JobId;
use crate::ladder::Rung;
use crate::moment::Moment;

/// The state of a job, with all that its reason is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its build dependencies cannot be installed; why not.
    Unresolvable(Box<str>),
    /// It waits, for something other than a slot.
    Blocked(Blocked),
    /// It waits for a slot.
    Scheduled,
    /// It is built.
    Building(Build),
    /// It is built, and its results are being taken in.
    Finished(Build),
    /// Its results are in the archive.
    Succeeded,
    /// It failed for good: until something that went into it changes.
    Failed(Failure),
    /// The farm does not build it for this target; why not.
    Excluded(Box<str>),
    /// Its source cannot be had or read; why not.
    Broken(Box<str>),
    /// Building it is switched off; why.
    Disabled(Box<str>),
    /// It is held; why.
    Locked(Box<str>),
}

/// What a job waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Jobs that it needs.
    Needs,
    /// The twin of a tool, as that and an accelerated build after it are predicted to be done sooner than an emulated one now.
    Twin {
        /// The build of the tool.
        tool: JobId,
        /// When this is looked at again, should the tool still not be there.
        until: Moment,
    },
    /// The next try after a failure that is not the package's.
    Backoff {
        /// When.
        until: Moment,
        /// How often it has failed that way.
        failures: u32,
        /// How it failed.
        why: Box<str>,
    },
    /// Its inputs to be left alone for a while.
    Settling {
        /// Until when.
        until: Moment,
    },
}

/// A build that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// Its number.
    pub id: BuildId,
    /// Where it runs; `None` for an import, which needs no slot.
    pub machine: Option<MachineId>,
    /// How it runs.
    pub rung: Rung,
    /// Slots that it has.
    pub width: u32,
    /// When it was started.
    pub since: Moment,
    /// How long it is predicted to take.
    pub expected: Duration,
}

/// Why a package does not build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The class of the failure, such as "test-timeout".
    pub class: Box<str>,
    /// One sentence.
    pub why: Box<str>,
}

/// A state without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// See [`State::Unresolvable`].
    Unresolvable,
    /// See [`State::Blocked`].
    Blocked,
    /// See [`State::Scheduled`].
    Scheduled,
    /// See [`State::Building`].
    Building,
    /// See [`State::Finished`].
    Finished,
    /// See [`State::Succeeded`].
    Succeeded,
    /// See [`State::Failed`].
    Failed,
    /// See [`State::Excluded`].
    Excluded,
    /// See [`State::Broken`].
    Broken,
    /// See [`State::Disabled`].
    Disabled,
    /// See [`State::Locked`].
    Locked,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Unresolvable,
        Self::Blocked,
        Self::Scheduled,
        Self::Building,
        Self::Finished,
        Self::Succeeded,
        Self::Failed,
        Self::Excluded,
        Self::Broken,
        Self::Disabled,
        Self::Locked,
    ];

    /// The word that OBS uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unresolvable => "unresolvable",
            Self::Blocked => "blocked",
            Self::Scheduled => "scheduled",
            Self::Building => "building",
            Self::Finished => "finished",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Excluded => "excluded",
            Self::Broken => "broken",
            Self::Disabled => "disabled",
            Self::Locked => "locked",
        }
    }

    /// From that word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

impl State {
    /// Its code.
    pub const fn code(&self) -> Code {
        match self {
            Self::Unresolvable(_) => Code::Unresolvable,
            Self::Blocked(_) => Code::Blocked,
            Self::Scheduled => Code::Scheduled,
            Self::Building(_) => Code::Building,
            Self::Finished(_) => Code::Finished,
            Self::Succeeded => Code::Succeeded,
            Self::Failed(_) => Code::Failed,
            Self::Excluded(_) => Code::Excluded,
            Self::Broken(_) => Code::Broken,
            Self::Disabled(_) => Code::Disabled,
            Self::Locked(_) => Code::Locked,
        }
    }

    /// Whether nothing more happens by itself. What needs the job then takes what there is: its results, those from before,
    /// or the seed's.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Blocked(_) | Self::Scheduled | Self::Building(_) | Self::Finished(_))
    }

    /// The build that runs, or whose results are taken in.
    pub const fn build(&self) -> Option<&Build> {
        match self {
            Self::Building(build) | Self::Finished(build) => Some(build),
            _ => None,
        }
    }
}
