//! `archmill log`

use std::io::{self, ErrorKind, Write as _};
use std::time::Duration;

use archmill_build::classify::ExitCode;
use archmill_farm::BuildFile;
use archmill_store::{BlobError, BuildId, Store};

use super::which::find;
use crate::cli::LogArgs;

/// How often a log that grows is looked at.
const POLL: Duration = Duration::from_millis(300);

/// Prints the log of a build.
pub(crate) fn run(args: &LogArgs) -> anyhow::Result<ExitCode> {
    let state = args.state.folder(&args.places.config()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = runtime.block_on(Store::read(&state))?;
    let build = runtime.block_on(find(&store, &args.which, "build", |_| true))?;
    let mut is_over = build.end.is_some();
    let mut copied = 0;
    loop {
        // What was written before it ended is read after it was seen to have ended.
        copied += runtime.block_on(copy(&store, build.id, copied))?;
        if is_over || !args.follow {
            return Ok(ExitCode::Success);
        }
        std::thread::sleep(POLL);
        let underway = runtime.block_on(store.underway())?;
        is_over = underway.iter().all(|other| other.id != build.id);
    }
}

/// Copies what of a log comes after `from`, and tells how much that was.
async fn copy(store: &Store, build: BuildId, from: u64) -> anyhow::Result<u64> {
    let Some(log) = BuildFile::log(store, build).await? else { return Ok(0) };
    let mut out = io::stdout().lock();
    let copied = log.copy(store, from, &mut out).await;
    match copied.and_then(|copied| out.flush().map(|()| copied).map_err(BlobError::Out)) {
        // Whoever reads has read enough.
        Err(BlobError::Out(error)) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}
