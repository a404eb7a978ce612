//! The archive of a farm's own results.

use std::path::Path;

use anyhow::Context as _;
use archmill_archive::{Compress, Publisher, SigningKey, SuiteNames};
use archmill_deb::changelog::is_maintainer;
use archmill_farm::fill;
use archmill_store::Store;

use super::FarmConfig;
use super::machines::architectures;
use crate::setup::Mistake;

/// In the farm's folder.
const ARCHIVE: &str = "archive";
/// Whose packages are taken in any case, as those of a project of its own in OBS.
const PRIORITY: i32 = 990;

/// Opens the archive in the farm's folder, as the store knows it.
pub(crate) async fn open(
    store: &Store,
    folder: &Path,
    farm: &FarmConfig,
    suite: &str,
) -> anyhow::Result<Publisher> {
    let origin = farm.origin.clone().unwrap_or_else(|| "archmill".to_owned());
    if origin.trim().is_empty() || origin.chars().any(char::is_control) {
        return Err(Mistake(format!("origin = {origin:?} in [farm]: it is one line of text")).into());
    }
    let components: Vec<String> = farm.component.iter().map(|component| component.name.clone()).collect();
    components.iter().try_for_each(|name| check_component(name))?;
    let is_blank = |c: char| c.is_whitespace() || "[]#".contains(c);
    if folder.to_str().is_none_or(|path| path.contains(is_blank)) {
        return Err(Mistake(format!(
            "a line of sources.list cannot name an archive in {}, as its path has a blank, [, ] or #; give another --state",
            folder.display()
        ))
        .into());
    }
    let mut arches: Vec<String> = Vec::new();
    for component in &farm.component {
        arches.extend(architectures(&component.architectures)?.into_iter().map(str::to_owned));
    }
    arches.sort_unstable();
    arches.dedup();
    let key = SigningKey::open_or_make(&folder.join("archive-key.asc"), &format!("{origin} archive"))?;
    let place = folder.join(ARCHIVE);
    let failed = || format!("cannot write the archive in {}", place.display());
    let names = SuiteNames { origin, suite: suite.to_owned() };
    let mut archive = Publisher::open(&place, key, names, arches, &components).with_context(failed)?;
    fill(&mut archive, store.published(suite).await?);
    archive.write(jiff::Timestamp::now(), Compress::No).with_context(failed)?;
    Ok(archive)
}

/// Its name is that of a folder.
fn check_component(name: &str) -> Result<(), Mistake> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._+".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(Mistake(format!(
            "the component {name:?} has a folder in the farm's archive, so its name can have letters, digits and -._+"
        )));
    }
    Ok(())
}

/// The archive, in a line as of sources.list(5): for builds, which prefer it to all others.
pub(crate) fn line(archive: &Publisher, farm: &FarmConfig, suite: &str) -> String {
    line_of(archive.folder(), &format!(" priority={PRIORITY}"), farm, suite)
}

/// The same for anybody else, by the farm's folder.
pub(crate) fn line_for_apt(folder: &Path, farm: &FarmConfig, suite: &str) -> String {
    line_of(&folder.join(ARCHIVE), "", farm, suite)
}

fn line_of(archive: &Path, more: &str, farm: &FarmConfig, suite: &str) -> String {
    let components: Vec<&str> = farm.component.iter().map(|component| component.name.as_str()).collect();
    let key = archive.join(Publisher::KEY);
    let (archive, components) = (archive.display(), components.join(" "));
    format!("deb [signed-by={}{more}] file:{archive} {suite} {components}", key.display())
}

/// Who signs changelog entries of packages that are built again without a change of source.
pub(crate) fn maintainer(farm: &FarmConfig) -> Result<String, Mistake> {
    let maintainer = farm.maintainer.clone().unwrap_or_else(|| "archmill <archmill@localhost>".to_owned());
    if is_maintainer(&maintainer) {
        return Ok(maintainer);
    }
    Err(Mistake(format!("maintainer = {maintainer:?} in [farm] is not NAME <ADDRESS>")))
}
