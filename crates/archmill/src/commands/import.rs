//! `archmill build --mode imported`

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use archmill_build::artifacts::measure;
use archmill_build::classify::{Class, ExitCode, Phase};
use archmill_build::job::{self, Draft, JobError, Progress, Request, Session};
use archmill_build::log::{LogWriter, Section, Sink};
use archmill_build::record::{Artifact, BuildRecord, Outcome};
use archmill_build::report::{Event, Reporter as _};
use jiff::Timestamp;

use super::build::{Output, file_version, header, out_folder, short_name, tell, without_results};
use crate::ui::Terminal;

/// Takes the archive's packages in place of building them. What is left behind is as after a build: packages, a log and a record.
pub(crate) fn import(
    session: &Session<'_>,
    request: &Request,
    output: &Output,
    terminal: &Terminal,
) -> anyhow::Result<(ExitCode, BuildRecord)> {
    let started = Timestamp::now();
    let mut draft = Draft::default();
    let found = job::import(session, request, &mut draft);
    let source = draft
        .source
        .as_ref()
        .map(|source| (source.record.package.clone(), source.record.version.to_string()));
    if let Err(error) = &found
        && (error.class == Class::Request || (source.is_none() && output.out.is_none()))
    {
        let record = without_results(session, request, &job::Hooks::default(), error, draft, started)?;
        return Ok((tell(&record, output.json, None)?, record));
    }
    let (name, version) = match source {
        Some((name, version)) => (name, Some(version)),
        None => (short_name(&request.source), None),
    };
    let header = header(request, None, &name, version.clone(), started);
    let out = out_folder(request, output.out.as_deref(), &name, version.as_deref())?;
    let log_path =
        out.join(format!("{name}_{}_{}.build", file_version(version.as_deref()), request.arch.debian));
    let file =
        fs::File::create(&log_path).with_context(|| format!("cannot make the log {}", log_path.display()))?;
    let log = LogWriter::new(vec![Sink::file(&log_path, file)]);
    let mut progress = Progress::new(log, out.clone(), header.clone(), request.source.clone(), false, draft);
    progress.log(|log| log.header(&header))?;
    let (outcome, made) = match found.and_then(|files| take(&files, &out)) {
        Ok(made) => {
            progress.section(Section::PackageContents)?;
            for artifact in &made {
                let line = format!(
                    "{} {} {}: imported, not built here",
                    artifact.sha256, artifact.size_bytes, artifact.name
                );
                progress.log(|log| log.text(&line))?;
            }
            (Outcome::success(), made)
        }
        Err(error) => {
            progress.log(|log| log.error(&error.message))?;
            (Outcome::failure(error.phase, error.class, error.message), Vec::new())
        }
    };
    let record = progress.close(request, None, outcome, made, session.fetcher.downloaded())?;
    terminal.event(Event::Results(&out));
    Ok((tell(&record, output.json, Some(&log_path))?, record))
}

/// Copies files to where results go, whole or not at all.
fn take(files: &[(String, std::path::PathBuf)], out: &Path) -> Result<Vec<Artifact>, JobError> {
    let failed = |error: &dyn std::fmt::Display| JobError::new(Phase::Host, error.to_string());
    let mut made = Vec::new();
    for (name, from) in files {
        let (target, temporary) = (out.join(name), out.join(format!(".{name}.new")));
        let copied = fs::copy(from, &temporary).and_then(|_| fs::rename(&temporary, &target));
        copied.map_err(|error| failed(&format!("cannot write {}: {error}", target.display())))?;
        made.push(measure(&target).map_err(|error| failed(&error))?);
    }
    Ok(made)
}
