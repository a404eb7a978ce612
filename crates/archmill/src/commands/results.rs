//! `archmill results`

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use archmill_build::classify::ExitCode;
use archmill_store::{BuildRow, EndKind, KeptFile, Store};

use super::which::find;
use crate::cli::ResultsArgs;
use crate::setup::{self, Mistake};

/// Gives what a build left.
pub(crate) fn run(args: &ResultsArgs) -> anyhow::Result<ExitCode> {
    setup::results(args.out.as_deref())?;
    let folder = args.state.folder(&args.places.config()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::read(&folder).await?;
        let succeeded = |build: &BuildRow| build.end.as_ref().is_some_and(|end| end.kind == EndKind::Built);
        let build = find(&store, &args.which, "build that succeeded", succeeded).await?;
        let files = store.files_of(build.id).await?;
        if build.end.is_none() {
            return Err(Mistake(format!("build {} is not done yet", build.id.0)).into());
        }
        if files.is_empty() {
            return Err(Mistake(format!(
                "nothing is kept of build {}: gc removed it, or an older archmill left it in a folder, which the next rebuild takes over",
                build.id.0
            ))
            .into());
        }
        let Some(out) = &args.out else {
            for KeptFile { name, blob } in &files {
                answer!("{} {:>12} {name}", blob.sha256, blob.size_bytes);
            }
            return Ok(ExitCode::Success);
        };
        fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
        for file in &files {
            copy(&store, file, &out.join(&file.name)).await?;
            answer!("{}", out.join(&file.name).display());
        }
        Ok(ExitCode::Success)
    })
}

/// Whole or not at all.
async fn copy(store: &Store, file: &KeptFile, path: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let new = path.with_file_name(format!(".{}.new", file.name));
    let mut to = BufWriter::new(fs::File::create(&new).with_context(failed)?);
    let copied = store.blobs().copy(&file.blob, 0, &mut to).await;
    if let Err(error) = copied {
        // Nobody wants half of it; if it cannot be removed, the name tells what it is.
        let _ = fs::remove_file(&new);
        return Err(anyhow::Error::new(error).context(file.name.clone()));
    }
    to.flush().and_then(|()| fs::rename(&new, path)).with_context(failed)
}
