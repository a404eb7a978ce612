//! What goes into the scheduler and what comes out of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine::MachineId;
use super::state::{Build, Failure, State};
use crate::ids::JobId;
use crate::ladder::Advice;
use crate::moment::Moment;

/// A build, numbered in the order in which they are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BuildId(pub u64);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Time went by. The first event of a farm, and what [`Action::WakeAt`] asks for.
    Tick,
    /// A build ended. Of builds that the scheduler does not know (any more) nothing comes.
    Ended(BuildId, End),
    /// The results of a build are in the archive.
    Published {
        /// Of which build.
        build: BuildId,
        /// Whether they differ from those before, by [`Fingerprint`](crate::rebuild::Fingerprint).
        changed: bool,
    },
    /// There is another source; a running build of the old one is ended.
    SourceChanged {
        /// Of this job.
        job: JobId,
        /// Its version.
        version: Box<str>,
    },
    /// Something else that goes into these jobs changed: upstream's packages, settings.
    InputsChanged(Vec<JobId>),
    /// What the farm means to do with a job.
    Declared(JobId, Standing),
    /// No build of it is to be started, and a running one ended, until it is released; why.
    Hold(JobId, Box<str>),
    /// The end of a hold.
    Release(JobId),
    /// It and all that it waits for go before everything else.
    Prioritise(JobId),
    /// Try again what failed, from the start of the ladder and at once.
    GiveBack(JobId),
    /// There are so many slots now; builds that run are left alone.
    Slots(MachineId, u32),
    /// Take durations that were learnt into account: predictions and the order are made anew. Takes time in
    /// proportion to the graph; for every few minutes.
    Reprioritise,
}

/// How a build ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It succeeded, or the import did.
    Built {
        /// What it took; nothing if that does not tell what the next one will take.
        took: Duration,
    },
    /// There was nothing to do: its inputs are those of the last build that succeeded.
    UpToDate,
    /// It failed, and the class of the failure says what may help.
    Failed(Failure, Advice),
    /// Its build dependencies cannot be installed; why not.
    Unresolvable(Box<str>),
    /// It came to nothing for no fault of the package: mirror, disk, memory, machine; what was the matter.
    Transient(Box<str>),
    /// It was ended as [`Action::Cancel`] asked.
    Cancelled,
}

/// What the farm means to do with a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Build it when it is due.
    #[default]
    Normal,
    /// It is not for this target; why not.
    Excluded(Box<str>),
    /// Its source cannot be had or read; why not.
    Broken(Box<str>),
    /// It is switched off; why.
    Disabled(Box<str>),
}

/// Something to be done by whoever drives the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a build; where its machine is `None`, import the upstream archive's package instead.
    Start(JobId, Build),
    /// End a build. It keeps its slots until it has ended.
    Cancel(BuildId),
    /// Take the results of a build into the archive, and tell when that is done.
    Publish(JobId, BuildId),
    /// A job is in another state, to be written down. Those of base sets are not told.
    Moved(JobId, State),
    /// Send a tick at this moment, unless told another one before.
    WakeAt(Moment),
}
