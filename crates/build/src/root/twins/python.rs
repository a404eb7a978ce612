//! What a twin of Python gets: the file that it runs first, and the list of extension modules that have a twin.

use std::collections::BTreeSet;
use std::path::Path;

use archmill_dispatch::{FAILED, PREFIX};
use archmill_emulate::twins::Condition;

use super::machine::machine;
use super::{Layer, at, place};

/// What a twin of Python runs first.
pub const EXTENSIONS: &str = include_str!("python.py");
/// The name of the module.
const EXTENSIONS_NAME: &str = "_archmill_twins";
/// Extension modules of the root that have a twin, below the prefix: size, modification time and path.
const MODULES: &str = "python/modules";

impl Layer<'_> {
    /// What lets a twin of Python load extension modules.
    pub(super) fn extensions(&self) -> Result<(), String> {
        if !self.args.twins.iter().any(|(twin, _)| twin.extensions.is_some()) {
            return Ok(());
        }
        let mut known = BTreeSet::new();
        for (twin, _) in &self.args.twins {
            let Some(folder) = &twin.extensions else { continue };
            let (folder, own) = (self.args.folder.join(folder), machine(&twin.offer.arch).triplet);
            let tools = twin.rules.iter().filter_map(|guard| match &guard.condition {
                Condition::Only(text) => Some(text.as_str()),
                _ => None,
            });
            let text = [
                ("@own@", own),
                ("@target@", &self.args.target),
                ("@prefix@", PREFIX),
                ("@modules@", &format!("{PREFIX}/{MODULES}")),
                ("@failed@", FAILED),
                ("@tools@", &tools.collect::<Vec<_>>().join("\n")),
            ];
            let text = text.iter().fold(EXTENSIONS.to_owned(), |text, (word, is)| text.replace(word, is));
            let line = format!("import {EXTENSIONS_NAME}, sys; sys.modules.pop(\"{EXTENSIONS_NAME}\")\n");
            std::fs::create_dir_all(&folder).map_err(at("make", &folder))?;
            for (name, text) in [(format!("{EXTENSIONS_NAME}.py"), text), ("archmill.pth".to_owned(), line)] {
                place(&self.pooled(text.as_bytes(), 0o644)?, &folder.join(name))?;
            }
            known.extend(self.owned.iter().filter_map(|(path, known)| {
                let path = path.to_str().filter(|_| path.extension().is_some_and(|end| end == "so"))?;
                let there = self.args.folder.join(path.replace(&self.args.target, own)).is_file();
                there.then(|| format!("{} {} /{path}\n", known.size, known.mtime))
            }));
        }
        self.parents(Path::new(MODULES))?;
        let path = self.args.folder.join(MODULES);
        std::fs::write(&path, known.into_iter().collect::<String>()).map_err(at("write", &path))
    }
}
