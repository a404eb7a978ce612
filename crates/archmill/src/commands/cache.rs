//! `archmill cache`

use std::time::Duration;

use anyhow::Context as _;
use archmill_build::cache::usage;
use archmill_build::classify::ExitCode;
use archmill_build::job::Session;

use crate::cli::CacheArgs;
use crate::setup::{self, WrongOption};
use crate::ui::Terminal;
use crate::units::duration;

/// Shows what there is, or removes some of it.
pub(crate) fn run(args: &CacheArgs) -> anyhow::Result<ExitCode> {
    let unused = args.unused_for.as_ref().map(|text| duration(text)).transpose();
    let unused = unused.context(WrongOption("--unused-for"))?.or(args.clear.then_some(Duration::ZERO));
    let setup = setup::named_inputs(&args.places)?;
    let cache = setup.cache.clone();
    if let Some(since) = unused {
        let terminal = Terminal::new(true, false);
        let session = Session::open(setup, &terminal, setup::canceller())?;
        let gone = session.remove_unused(since).map_err(anyhow::Error::msg)?;
        answer!("removed from {}: {gone}", cache.display());
        return Ok(ExitCode::Success);
    }
    anyhow::ensure!(cache.is_dir(), setup::Mistake(format!("there is no cache {}", cache.display())));
    answer!("{}:", cache.display());
    let kinds = usage(&cache);
    for kind in &kinds {
        answer!("{:24}{:>8}{:>12}", kind.kind, kind.entries, mebibytes(kind.bytes));
    }
    answer!("{:32}{:>12}", "together", mebibytes(kinds.iter().map(|kind| kind.bytes).sum()));
    Ok(ExitCode::Success)
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
