//! What is written down of events and of what follows from them.

use archmill_archive::Compress;
use archmill_plan::scheduler::{Build, Code, State};
use archmill_plan::{JobId, Moment};
use archmill_store::{Change, NewBuild, Publication, RequestKind};

use super::{Again, Driver, Start, With};
use crate::FarmError;
use crate::jobs::{NextVersion, OwnResult};
use crate::known::{Adopted, is_set_aside};
use crate::results::{Place, Results};

impl Driver<'_> {
    pub(super) fn write_archive(&mut self, compress: Compress) -> Result<(), FarmError> {
        let Some(archive) = &mut self.archive else { return Ok(()) };
        let folder = archive.folder().to_owned();
        let now = jiff::Timestamp::now();
        archive.write(now, compress).map_err(|error| FarmError::Archive { folder, error })
    }

    pub(super) async fn write_with(
        &mut self,
        change: &mut Change<'_>,
        now: Moment,
        with: With,
    ) -> Result<(), FarmError> {
        match with {
            With::Nothing => {}
            With::End(row, end, files) => {
                change.end(row, &end).await?;
                change.keep(row, &files).await?;
                // One that could not be started may have left something, and its folder stays for who wants to look.
                if !files.is_empty() {
                    self.kept.push(row);
                }
            }
            With::Published(job, began, worked, results) => {
                let Some(package) = self.jobs.row(job) else { return Ok(()) };
                change.worked(package, &worked).await?;
                let Some((build, Results { version, fingerprint, stanzas: Some(stanzas) })) = results else {
                    return Ok(());
                };
                let publication = Publication { package, build, version, fingerprint, stanzas };
                change.publish(&publication, now).await?;
                self.published += 1;
                let Publication { version, fingerprint, .. } = publication.clone();
                self.jobs.published(job, OwnResult { version, fingerprint, began, published: now });
                let unit = Place::of(self.scheduler.graph(), job);
                if let Some(archive) = &mut self.archive {
                    archive.put(unit.unit(), publication.stanzas);
                }
            }
            With::Request(request, job) => {
                change.taken(request.id, now).await?;
                let Some(package) = self.jobs.row(job) else { return Ok(()) };
                match request.kind {
                    RequestKind::GiveBack => change.start_over(package).await?,
                    RequestKind::Hold => change.hold(package, Some(&request.why)).await?,
                    RequestKind::Release => change.hold(package, None).await?,
                    RequestKind::Prioritise => change.prioritise(package, true).await?,
                }
            }
        }
        Ok(())
    }

    pub(super) async fn write(
        &mut self,
        change: &mut Change<'_>,
        now: Moment,
        job: JobId,
        state: &State,
    ) -> Result<(), FarmError> {
        let Some(package) = self.jobs.row(job) else { return Ok(()) };
        let reason = self.scheduler.reason_of(now, job, state);
        let class = match state {
            State::Failed(failure) => Some(&*failure.class),
            State::Unresolvable(_) => Some("dependencies"),
            _ => None,
        };
        let is_settled = matches!(state.code(), Code::Succeeded | Code::Failed | Code::Unresolvable);
        let settled = if is_settled {
            let last = self.started.get(&job).or_else(|| self.succeeded.get(&job)).cloned();
            last.or_else(|| self.jobs.inputs(self.scheduler.graph(), job))
        } else if is_set_aside(state.code()) {
            // It is there again when that ends.
            self.succeeded.get(&job).cloned()
        } else {
            None
        };
        if *state == State::Succeeded {
            self.succeeded.extend(settled.clone().map(|inputs| (job, inputs)));
        }
        change.moved(package, state.code(), &reason, class, settled.as_deref(), now).await?;
        if is_settled {
            change.start_over(package).await?;
            change.prioritise(package, false).await?;
        }
        Ok(())
    }

    /// `None` if there is nothing to do: all that goes in is what went in last time, or no other result can be published.
    pub(super) async fn write_start(
        &mut self,
        change: &mut Change<'_>,
        now: Moment,
        job: JobId,
        build: &Build,
    ) -> Result<Option<Start>, FarmError> {
        let graph = self.scheduler.graph();
        let inputs = self.jobs.inputs(graph, job);
        if let Some(Adopted { row, inputs, .. }) = self.adopted.get(&job) {
            self.started.extend(inputs.clone().map(|inputs| (job, inputs)));
            return Ok(Some(Start { job, build: *build, row: *row, again: None }));
        }
        let Some(package) = self.jobs.row(job) else { return Ok(None) };
        let is_published = self.jobs.fingerprint(job).is_some();
        let is_same = is_published && inputs.is_some() && self.succeeded.get(&job) == inputs.as_ref();
        let number = match self.jobs.next_version(self.scheduler.graph(), job) {
            NextVersion::OfSource if !is_same => None,
            NextVersion::Numbered(number) if !is_same => Some(number),
            _ => {
                self.started.extend(inputs.map(|inputs| (job, inputs)));
                return Ok(None);
            }
        };
        let machine = build.machine.and_then(|machine| self.scheduler.machine(machine));
        let row = change
            .start(&NewBuild {
                package,
                run: self.run,
                version: self.scheduler.graph().job(job).version.to_string(),
                inputs: inputs.clone(),
                rung: build.rung,
                machine: machine.map_or_else(String::new, |kind| kind.name.clone()),
                width: build.width,
                started: now,
                expected: build.expected,
            })
            .await?;
        self.started.remove(&job);
        self.started.extend(inputs.map(|inputs| (job, inputs)));
        let again =
            number.map(|number| Again { number, reason: self.jobs.reason(self.scheduler.graph(), job) });
        Ok(Some(Start { job, build: *build, row, again }))
    }
}
