//! Package names as small numbers.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::ids::NameId;

/// Interned names; those of packages come first, in alphabetical order.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    names: Vec<Arc<str>>,
    ids: FxHashMap<Arc<str>, NameId>,
}

impl NameTable {
    pub(crate) fn intern(&mut self, name: &str) -> NameId {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = NameId::new(self.names.len());
        let name: Arc<str> = name.into();
        self.names.push(name.clone());
        self.ids.insert(name, id);
        id
    }

    pub(crate) fn find(&self, name: &str) -> Option<NameId> {
        self.ids.get(name).copied()
    }

    pub(crate) fn get(&self, id: NameId) -> &str {
        &self.names[id.index()]
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}
