//! Whoever wants to see what happens.

use std::path::Path;

use archmill_plan::JobId;
use archmill_plan::scheduler::{Build, Scheduler};
use archmill_store::{BuildEnd, RequestRow};

use crate::outlook::Forecast;

/// Is told what happens in a farm; each of these must be quick.
pub trait Watch {
    /// A build starts, or is taken over from an earlier run.
    fn started(&mut self, scheduler: &Scheduler, job: JobId, build: &Build, adopted: bool);

    /// A build ended.
    fn ended(&mut self, scheduler: &Scheduler, job: JobId, build: &Build, end: &BuildEnd);

    /// A request was taken; `jobs` is how many it is about.
    fn requested(&mut self, request: &RequestRow, jobs: usize);

    /// No more builds are started; so many run.
    fn stopping(&mut self, running: usize);

    /// Some time went by. `forecast` tells what is left to do; `folder` gives the folder of a build that runs.
    fn tick(
        &mut self,
        scheduler: &Scheduler,
        forecast: &dyn Fn() -> Option<Forecast>,
        folder: &dyn Fn(JobId) -> Option<Box<Path>>,
    );
}
