//! `archmill gc`

use archmill_build::classify::ExitCode;
use archmill_farm::{Archive, Freed, Keep, Remove, gc};
use archmill_store::{Store, StoreError};

use crate::cli::GcArgs;
use crate::farm::{FarmConfig, now};
use crate::setup::Mistake;
use crate::units::duration;

/// Removes what the farm need not keep.
pub(crate) fn run(args: &GcArgs) -> anyhow::Result<ExitCode> {
    let config = args.places.config()?;
    let keep = keep(args, config.farm.as_ref())?;
    let folder = args.state.folder(&config);
    let remove = if args.dry_run { Remove::Not } else { Remove::Really };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let freed = runtime.block_on(async {
        let store = Store::open(&folder).await?;
        // Held while the archive is looked at: a rebuild that begins would start builds that read it.
        let lock = match store.lock() {
            Ok(lock) => Some(lock),
            Err(StoreError::Locked(_)) => {
                remark!("a rebuild is running; nothing leaves the disk until gc is run after it has ended");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let archive = if lock.is_some() { Archive::Idle } else { Archive::InUse };
        anyhow::Ok(gc(&store, keep, archive, remove, now()).await?)
    })?;
    tell(freed, remove);
    Ok(ExitCode::Success)
}

/// What the options say, else farm.toml.
fn keep(args: &GcArgs, farm: Option<&FarmConfig>) -> anyhow::Result<Keep> {
    if args.results == Some(0) {
        return Err(Mistake(
            "--results 0: the last results of a package are always kept; give 1 or more".to_owned(),
        )
        .into());
    }
    let config = farm.map(|farm| &farm.keep);
    let logs = args.logs.as_ref().or_else(|| config.and_then(|config| config.logs.as_ref()));
    Ok(Keep {
        results: args.results.or_else(|| config.and_then(|config| config.results)).unwrap_or(1),
        logs: logs.map(|text| duration(text)).transpose()?,
    })
}

fn tell(freed: Freed, remove: Remove) {
    let Freed { builds, results, packages, bytes } = freed;
    let megabytes = bytes.div_ceil(1 << 20);
    let verb = if remove == Remove::Really { "removed" } else { "would remove" };
    answer!(
        "{verb} the results of {results} builds, all of {builds} others, and {packages} packages of the archive: \
         {megabytes} MiB"
    );
}
