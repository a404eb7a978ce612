//! `archmill log`

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::time::Duration;

use archmill_build::classify::ExitCode;
use archmill_farm::{build_folder, log_of};
use archmill_store::{BuildRow, Store};

use crate::cli::LogArgs;
use crate::setup::{self, Mistake};

/// How often a log that grows is looked at.
const POLL: Duration = Duration::from_millis(300);

/// Prints the log of a build.
pub(crate) fn run(args: &LogArgs) -> anyhow::Result<ExitCode> {
    let target = match args.arch.as_deref() {
        Some("all") => Some("all"),
        Some(name) => Some(setup::architecture(Some(name))?.debian),
        None => None,
    };
    let state = args.state.folder(&args.places.config()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = runtime.block_on(Store::open(&state))?;
    let build = runtime.block_on(find(&store, args, target))?;
    let folder = build_folder(store.folder(), build.id);
    let mut is_over = build.end.is_some();
    let mut copied = 0;
    loop {
        // What was written before it ended is read after it was seen to have ended.
        let path = log_of(&folder).unwrap_or_else(|| folder.join("output"));
        copied += copy(&path, copied)?;
        if is_over || !args.follow {
            return Ok(ExitCode::Success);
        }
        std::thread::sleep(POLL);
        let underway = runtime.block_on(store.underway())?;
        is_over = underway.iter().all(|other| other.id != build.id);
    }
}

async fn find(store: &Store, args: &LogArgs, target: Option<&str>) -> anyhow::Result<BuildRow> {
    let mut builds = Vec::new();
    for row in store.packages(Some(&args.source)).await? {
        if target.is_none_or(|target| row.planned.target == target) {
            builds.extend(store.builds_of(row.id).await?);
        }
    }
    let wanted = builds
        .into_iter()
        .filter(|build| args.build.is_none_or(|number| build.id.0 == number))
        .max_by_key(|build| build.id);
    let of = || {
        let number = args.build.map(|number| format!(" with the number {number}")).unwrap_or_default();
        let target = target.map(|target| format!(" for {target}")).unwrap_or_default();
        format!("there is no build of {}{target}{number} in {}", args.source, store.folder().display())
    };
    wanted.ok_or_else(|| Mistake(of()).into())
}

/// Copies what of a file comes after `from`, and tells how much that was.
fn copy(path: &std::path::Path, from: u64) -> anyhow::Result<u64> {
    use std::io::{Seek as _, SeekFrom};
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    file.seek(SeekFrom::Start(from))?;
    let mut out = io::stdout().lock();
    let copied = io::copy(&mut file.take(u64::MAX), &mut out).and_then(|copied| out.flush().map(|()| copied));
    match copied {
        // Whoever reads has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}
