//! Layers that were made before, each under a key made of all that went into it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bump when the way layers are made changes, so that old ones are not taken for new ones.
const LAYER_FORMAT: u32 = 4;

/// Which layer, and how it came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerInfo {
    /// See [`key`].
    pub key: String,
    /// The layer below, unless this is a base.
    pub parent: Option<String>,
    /// Subfolders that overlayfs stacks, the topmost first.
    pub parts: Vec<String>,
    /// Packages that this layer adds, as `name version architecture sha256`.
    pub packages: Vec<String>,
}

/// A finished layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Its description.
    pub info: LayerInfo,
    /// All folders to stack for a root that ends with this layer, the topmost first.
    pub stack: Vec<PathBuf>,
}

/// The folder with all layers.
#[derive(Debug, Clone)]
pub struct LayerStore {
    folder: PathBuf,
}

/// Something is wrong with the folder of layers.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", path.display())]
pub struct StoreError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The key of a layer: its parent, its packages by content, and the settings that shape it.
pub fn key(parent: Option<&str>, packages: &[String], settings: &str) -> String {
    let mut sorted: Vec<&String> = packages.iter().collect();
    sorted.sort();
    let mut hash = Sha256::new();
    hash.update(format!("archmill layer {LAYER_FORMAT}\n{}\n{settings}\n", parent.unwrap_or("")));
    for package in sorted {
        hash.update(package);
        hash.update("\n");
    }
    hex::encode(&hash.finalize()[..16])
}

impl LayerStore {
    /// The store in `folder`, which exists.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the layer of that key is or will be.
    pub fn path(&self, key: &str) -> PathBuf {
        self.folder.join(key)
    }

    /// The layer of that key with all that it stands on, if all of it is there.
    pub fn get(&self, key: &str) -> Option<Layer> {
        let folder = self.path(key);
        let info: LayerInfo = serde_json::from_slice(&fs::read(folder.join("layer.json")).ok()?).ok()?;
        let mut stack: Vec<PathBuf> = info.parts.iter().map(|part| folder.join(part)).collect();
        if let Some(parent) = &info.parent {
            stack.extend(self.get(parent)?.stack);
        }
        stack.iter().all(|part| part.is_dir()).then_some(Layer { info, stack })
    }

    /// Takes the lock on a key: of two processes that want the same layer one makes it and the
    /// other finds it. Dropping the file lets go.
    pub fn lock(&self, key: &str) -> Result<fs::File, StoreError> {
        let path = self.folder.join(format!("{key}.lock"));
        let file = fs::File::create(&path).map_err(at("open the lock", &path))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| at("take the lock", &path)(error.into()))?;
        Ok(file)
    }

    /// Moves a layer made in `folder` into place, with its description.
    pub fn put(&self, folder: &Path, info: &LayerInfo) -> Result<(), StoreError> {
        let description = folder.join("layer.json");
        let json =
            serde_json::to_vec_pretty(info).map_err(|error| at("write", &description)(error.into()))?;
        fs::write(&description, json).map_err(at("write", &description))?;
        let target = self.path(&info.key);
        // Whoever makes a layer found none: what is there has lost its description, in a power cut for instance. It goes the
        // way of the working folder.
        if target.exists() {
            let damaged = folder.with_file_name("damaged");
            fs::rename(&target, &damaged).map_err(at("move a damaged layer from", &target))?;
        }
        fs::rename(folder, &target).map_err(at("move a finished layer to", &target))
    }
}

fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_parent_packages_and_settings_and_not_on_order() {
        let (a, b) = ("a 1 all x".to_owned(), "b 1 all y".to_owned());
        let one = key(None, &[a.clone(), b.clone()], "arm64");
        assert_eq!(one, key(None, &[b.clone(), a.clone()], "arm64"));
        assert_ne!(one, key(Some("p"), &[a.clone(), b.clone()], "arm64"));
        assert_ne!(one, key(None, &[a.clone(), b], "armhf"));
        assert_ne!(one, key(None, &[a], "arm64"));
    }

    #[test]
    fn a_layer_without_description_is_made_again() {
        let tmp = tempfile::tempdir().unwrap();
        let (layers, work) = (tmp.path().join("layers"), tmp.path().join("work"));
        fs::create_dir_all(&layers).unwrap();
        let store = LayerStore::new(layers);
        let info =
            LayerInfo { key: "k".into(), parent: None, parts: vec!["tree".to_owned()], packages: vec![] };
        for _ in 0..2 {
            fs::create_dir_all(work.join("layer/tree")).unwrap();
            store.put(&work.join("layer"), &info).unwrap();
            assert!(store.get("k").is_some());
            fs::write(store.path("k").join("layer.json"), "").unwrap();
            assert!(store.get("k").is_none());
            fs::remove_dir_all(&work).unwrap();
        }
    }

    #[test]
    fn a_layer_is_found_with_all_that_it_stands_on_or_not_at_all() {
        let tmp = tempfile::tempdir().unwrap();
        let store = LayerStore::new(tmp.path().to_owned());
        let put = |key: &str, parent: Option<&str>| {
            let folder = tmp.path().join("new");
            fs::create_dir_all(folder.join("tree")).unwrap();
            let parts = vec!["tree".to_owned()];
            let info =
                LayerInfo { key: key.into(), parent: parent.map(str::to_owned), parts, packages: vec![] };
            store.put(&folder, &info).unwrap();
        };
        put("base", None);
        put("top", Some("base"));
        let layer = store.get("top").unwrap();
        assert_eq!(layer.stack, [tmp.path().join("top/tree"), tmp.path().join("base/tree")]);
        fs::remove_dir_all(tmp.path().join("base")).unwrap();
        assert!(store.get("top").is_none());
    }
}
