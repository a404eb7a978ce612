//! `archmill give-back`, `hold`, `release` and `prioritise`

use archmill_build::classify::ExitCode;
use archmill_plan::Moment;
use archmill_store::{RequestKind, Runs, Store};

use crate::cli::{HoldArgs, RequestArgs};
use crate::setup::{self, Mistake};

pub(crate) fn give_back(args: &RequestArgs) -> anyhow::Result<ExitCode> {
    ask(args, RequestKind::GiveBack, "")
}

pub(crate) fn hold(args: &HoldArgs) -> anyhow::Result<ExitCode> {
    ask(&args.request, RequestKind::Hold, &args.reason)
}

pub(crate) fn release(args: &RequestArgs) -> anyhow::Result<ExitCode> {
    ask(args, RequestKind::Release, "")
}

pub(crate) fn prioritise(args: &RequestArgs) -> anyhow::Result<ExitCode> {
    ask(args, RequestKind::Prioritise, "")
}

/// Leaves requests in the store, where a rebuild takes them from.
fn ask(args: &RequestArgs, kind: RequestKind, why: &str) -> anyhow::Result<ExitCode> {
    let target = setup::target(args.arch.as_deref())?;
    let folder = args.state.folder(&args.places.config()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(&folder).await?;
        let runs = store.runs()?;
        let now = Moment(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0));
        // All are looked up before any is asked for.
        for source in &args.sources {
            let packages = store.packages(Some(source)).await?;
            let has = |target: &str| packages.iter().any(|row| row.planned.target == target);
            if packages.is_empty() || target.is_some_and(|target| !has(target)) {
                let target = target.map(|target| format!(" for {target}")).unwrap_or_default();
                return Err(
                    Mistake(format!("the farm in {} has no {source}{target}", folder.display())).into()
                );
            }
        }
        for source in &args.sources {
            store.ask(kind, source, target, why, now).await?;
        }
        match runs {
            Runs::Yes => remark!("the rebuild that runs takes it up"),
            Runs::No => remark!("no rebuild runs; the next one takes it up"),
        }
        Ok(ExitCode::Success)
    })
}
